#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm::dataset {

// An IDX file of bytes (http://yann.lecun.com/exdb/mnist): 0, 0, 8, the number of dimensions, each dimension as four
// bytes, the highest first, and then the data.
struct IdxArray {
    std::vector<int64_t> shape;
    std::string_view data;  // a part of the bytes that were parsed, as long as the shape says
};

// Returns how many bytes a file has according to its header, at most 2^63 − 1, or 0 if it is no IDX file of bytes with 1 to 3
// dimensions. `head` holds the first 16 bytes of the file, or all of a shorter file.
uint64_t idx_file_size(std::string_view head);

// Reads an array of exactly `dimensions` dimensions, each at least 1. Anything else, and data of another length than the
// shape says, is a user_error that begins with `source`.
IdxArray parse_idx(std::string_view bytes, const std::string& source, int dimensions);

}  // namespace ddpm::dataset
