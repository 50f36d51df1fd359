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
    std::string_view data;  // into the bytes given; as long as the shape says
};

// How many bytes a file with this beginning (16 bytes, or all of a shorter file) has by its own header; 0 where it is no
// IDX file of bytes with 1 to 3 dimensions, at most 2^63 − 1.
uint64_t idx_file_size(std::string_view head);

// `dimensions` says how many are expected, each at least 1. Anything else, and data of another length than the shape
// says, is a user_error that begins with `source`.
IdxArray parse_idx(std::string_view bytes, const std::string& source, int dimensions);

}  // namespace ddpm::dataset
