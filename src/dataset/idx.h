#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// An IDX file of bytes (http://yann.lecun.com/exdb/mnist): 0, 0, 8, the number of dimensions, each dimension as four
// bytes, the highest first, and then the data.
struct IdxArray {
    std::vector<int64_t> shape;
    std::string_view data;  // into the bytes given; as long as the shape says
};

// `dimensions` says how many are expected, each at least 1. Anything else, and data of another length than the shape
// says, is a user_error that begins with `source`.
IdxArray parse_idx(std::string_view bytes, const std::string& source, int dimensions);

}  // namespace ddpm
