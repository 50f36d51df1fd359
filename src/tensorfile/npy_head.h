#pragma once

#include <string>
#include <string_view>

#include "ddpm/tensorfile/npz_file.h"

namespace ddpm::tensorfile {

// The bytes of an array's file that tell how long its head is.
inline constexpr uint64_t kNpyPrefix = 12;

// Returns how many bytes the head takes, of its first kNpyPrefix bytes, or all of a shorter file. A beginning that is none of
// NumPy's formats 1.0 to 3.0 is a user_error that begins with `source`.
uint64_t npy_head_size(std::string_view prefix, const std::string& source);

// Reads the dictionary of a head of that size. Everything but a name is in the result. One that is not as NumPy writes it is a
// user_error that begins with `source`.
NpzArray parse_npy_head(std::string_view head, const std::string& source);

}  // namespace ddpm::tensorfile
