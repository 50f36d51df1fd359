#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "ddpm/core/random.h"

namespace ddpm {

// Features that follow from a formula, for which numpy and others' packages gave the numbers that the tests expect.
//     u(s,i,j) = (splitmix64(s·2⁴⁰ + i·2²⁰ + j) ≫ 48)/65536
//     A = (8 + j)·u(1,i,j)/8,   B = (10 + j/2)·u(2,i,j)/8 + j/32,   200 × 8
inline double check_number(uint64_t s, uint64_t i, uint64_t j) {
    uint64_t z = (s << 40) + (i << 20) + j + 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return static_cast<double>((z ^ (z >> 31)) >> 48) / 65536;
}

template <class Formula>
at::Tensor check_rows(Formula formula) {
    at::Tensor x = at::empty({200, 8}, at::kDouble);
    double* number = x.mutable_data_ptr<double>();
    for (uint64_t i = 0; i < 200; ++i)
        for (uint64_t j = 0; j < 8; ++j) *number++ = formula(i, j);
    return x;
}

inline at::Tensor check_A() {
    return check_rows([](uint64_t i, uint64_t j) { return (8 + static_cast<double>(j)) * check_number(1, i, j) / 8; });
}

inline at::Tensor check_B() {
    return check_rows([](uint64_t i, uint64_t j) {
        return (10 + static_cast<double>(j) / 2) * check_number(2, i, j) / 8 + static_cast<double>(j) / 32;
    });
}

// N(0, 1) in every number, [n, d] float64; of one stream, so that sets of other `set` are independent.
inline at::Tensor normal_rows(int64_t n, int64_t d, uint64_t set) {
    RandomStream stream(17, Purpose::eval, set);
    at::Tensor x = at::empty({n, d}, at::kDouble);
    for (double *number = x.mutable_data_ptr<double>(), *end = number + x.numel(); number != end; ++number)
        *number = stream.normal();
    return x;
}

// An orthogonal matrix, [d, d] float64.
inline at::Tensor some_rotation(int64_t d) { return std::get<0>(at::linalg_qr(normal_rows(d, d, 1000))); }

}  // namespace ddpm
