#pragma once

#include <cstdint>

namespace ddpm::kernels {

// Linear maps of rows: y = x·Wᵀ + b + residual. 1×1 convolutions of NHWC images are such maps too. Arithmetic is float32;
// x, y and residual are float or bfloat16 (uint16_t).
struct LinearShape {
    int64_t rows = 0, in = 0, out = 0;  // in and out: multiples of 32
};

// weight: [out, in]; bias ([out]) and residual ([rows, out]) may be null.
template <class T>
void linear_forward(const LinearShape& shape, const T* x, const float* weight, const float* bias, const T* residual, T* y);

// dx [rows, in] = dy·W
template <class T>
void linear_input_gradient(const LinearShape& shape, const T* dy, const float* weight, T* dx);

// dweight [out, in] = dyᵀ·x
template <class T>
void linear_weight_gradient(const LinearShape& shape, const T* x, const T* dy, float* dweight);

// sums [columns] = Σ over the rows of x: the gradient of a bias. columns: a multiple of 16.
template <class T>
void column_sums(int64_t rows, int64_t columns, const T* x, float* sums);

}  // namespace ddpm::kernels
