#pragma once

#include <string>
#include <vector>

namespace ddpm::checkpoint {

// Throws the user_error for a file whose tensors are not a network's. It lists the first few of `problems`, which must
// not be empty.
[[noreturn]] void refuse_mismatches(const std::string& source, const std::vector<std::string>& problems);

}  // namespace ddpm::checkpoint
