#pragma once

#include <cstdint>
#include <string>

namespace ddpm {

// Reads `count` bytes at `offset` of an open file. A file that has become shorter than that is a runtime_failure, a
// file that can't be read an Unreadable; both begin with `source`.
void read_at(int descriptor, uint64_t offset, char* bytes, uint64_t count, const std::string& source);

}  // namespace ddpm
