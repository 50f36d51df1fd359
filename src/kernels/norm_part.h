#pragma once

#include <cstdint>

namespace ddpm::kernels {

// A thread's share of a normalization: the channels first … last − 1 of one image; whole groups, a multiple of 16.
struct NormPart {
    int64_t image, first, last;
};

}  // namespace ddpm::kernels
