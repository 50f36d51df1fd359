#pragma once

#include <string>
#include <vector>

namespace ddpm {

// The user_error of a file whose tensors are not a network's: the first few of `problems`, of which there is one.
[[noreturn]] void refuse_mismatches(const std::string& source, const std::vector<std::string>& problems);

}  // namespace ddpm
