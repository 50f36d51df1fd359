#pragma once

#include <cstdint>
#include <string>

namespace ddpm {

// Reads `count` bytes at `offset` of an open file. What is not there any more is a runtime_failure that begins with
// `source`, what can't be read an Unreadable.
void read_at(int descriptor, uint64_t offset, char* bytes, uint64_t count, const std::string& source);

}  // namespace ddpm
