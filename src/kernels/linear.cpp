#include "kernels/linear.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear.cpp"
#include <hwy/foreach_target.h>

#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm {
namespace HWY_NAMESPACE {

// W ([out, in]) or Wᵀ, as what is multiplied from the right.
void pack_weight(const float* weight, int64_t in, int64_t out, bool transpose, float* packed) {
    if (transpose)
        pack_columns_transposed(weight, in, in, out, packed);  // x·Wᵀ
    else
        pack_columns(weight, in, out, in, packed);  // dy·W
}

// The rows first … first + count − 1 of x ([rows, depth]) times a packed matrix.
template <class T>
void multiply_rows(const T* x, int64_t depth, const float* packed, const float* bias, const T* residual, T* y,
                   int64_t columns, int64_t first, int64_t count) {
    static thread_local Scratch row_scratch, product_scratch;
    float* panels = row_scratch.floats(static_cast<size_t>(count * depth));
    float* c = product_scratch.floats(static_cast<size_t>(count * kColumns));
    pack_panels(x + first * depth, depth, count, depth, panels);
    for (int64_t j = 0; j < columns; j += kColumns) {
        product(panels, count * kPanel, packed + j * depth, depth, c, count);
        for (int64_t half = 0; half < kColumns; half += kWidth) {
            const V b = bias ? load(bias + j + half) : zero();
            for (int64_t m = 0; m < count; ++m) {
                const int64_t at = (first + m) * columns + j + half;
                const V v = hn::Add(load(c + m * kColumns + half), b);
                store(residual ? hn::Add(v, load(residual + at)) : v, y + at);
            }
        }
    }
}

void multiply_rows_f32(const float* x, int64_t depth, const float* p, const float* b, const float* r, float* y, int64_t columns,
                       int64_t first, int64_t count) {
    multiply_rows(x, depth, p, b, r, y, columns, first, count);
}
void multiply_rows_bf16(const uint16_t* x, int64_t depth, const float* p, const float* b, const uint16_t* r, uint16_t* y,
                        int64_t columns, int64_t first, int64_t count) {
    multiply_rows(x, depth, p, b, r, y, columns, first, count);
}
void pack_rows_f32(const float* x, int64_t stride, int64_t rows, int64_t depth, float* panels) {
    pack_panels(x, stride, rows, depth, panels);
}
void pack_rows_bf16(const uint16_t* x, int64_t stride, int64_t rows, int64_t depth, float* panels) {
    pack_panels(x, stride, rows, depth, panels);
}

// 32 rows of dweight, over `count` rows of dy and x.
void outer_panel(const float* dy, const float* x, int64_t count, int64_t in, float* dweight, bool add) {
    outer(dy, count * kPanel, x, count * kPanel, count, dweight, kPanel, in, in, add);
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(pack_weight);
HWY_EXPORT(multiply_rows_f32);
HWY_EXPORT(multiply_rows_bf16);
HWY_EXPORT(pack_rows_f32);
HWY_EXPORT(pack_rows_bf16);
HWY_EXPORT(outer_panel);

namespace {

template <class Run, class T>
void multiply(const Run& run, int64_t rows, const T* x, int64_t depth, const float* weight, bool transpose, int64_t columns,
              const float* bias, const T* residual, T* y) {
    static thread_local Scratch scratch;
    float* packed = scratch.floats(static_cast<size_t>(depth * columns));
    HWY_DYNAMIC_DISPATCH(pack_weight)(weight, transpose ? depth : columns, transpose ? columns : depth, transpose, packed);
    constexpr int64_t block = 48;
    parallel_for((rows + block - 1) / block, [&](int64_t i) {
        run(x, depth, packed, bias, residual, y, columns, i * block, std::min(block, rows - i * block));
    });
}

// Rows in blocks that every thread packs its share of; the sums of a block follow those of the one before, so that the
// order of additions is one whatever the number of threads.
template <class Pack, class T>
void weight_gradient(const Pack& pack, const LinearShape& shape, const T* x, const T* dy, float* dweight) {
    constexpr int64_t block = 512, unit = 32;
    static thread_local Scratch x_scratch, dy_scratch;
    float* x_panels = x_scratch.floats(static_cast<size_t>(block * shape.in));
    float* dy_panels = dy_scratch.floats(static_cast<size_t>(block * shape.out));
    const auto outer_panel_run = HWY_DYNAMIC_DISPATCH(outer_panel);
    for (int64_t first = 0; first < shape.rows; first += block) {
        const int64_t count = std::min(block, shape.rows - first);
        const int64_t x_tasks = shape.in / unit, dy_tasks = shape.out / unit;
        parallel_for(x_tasks + dy_tasks, [&](int64_t i) {
            if (i < x_tasks)
                pack(x + first * shape.in + i * unit, shape.in, count, unit, x_panels + i * count * unit);
            else
                pack(dy + first * shape.out + (i - x_tasks) * unit, shape.out, count, unit,
                     dy_panels + (i - x_tasks) * count * unit);
        });
        parallel_for(dy_tasks, [&](int64_t i) {
            outer_panel_run(dy_panels + i * count * unit, x_panels, count, shape.in, dweight + i * unit * shape.in, first > 0);
        });
    }
}

}  // namespace

template <>
void linear_forward(const LinearShape& shape, const float* x, const float* weight, const float* bias, const float* residual,
                    float* y) {
    multiply(HWY_DYNAMIC_DISPATCH(multiply_rows_f32), shape.rows, x, shape.in, weight, true, shape.out, bias, residual, y);
}

template <>
void linear_forward(const LinearShape& shape, const uint16_t* x, const float* weight, const float* bias,
                    const uint16_t* residual, uint16_t* y) {
    multiply(HWY_DYNAMIC_DISPATCH(multiply_rows_bf16), shape.rows, x, shape.in, weight, true, shape.out, bias, residual, y);
}

template <>
void linear_input_gradient(const LinearShape& shape, const float* dy, const float* weight, float* dx) {
    const float* no_residual = nullptr;
    multiply(HWY_DYNAMIC_DISPATCH(multiply_rows_f32), shape.rows, dy, shape.out, weight, false, shape.in, nullptr, no_residual, dx);
}

template <>
void linear_input_gradient(const LinearShape& shape, const uint16_t* dy, const float* weight, uint16_t* dx) {
    const uint16_t* no_residual = nullptr;
    multiply(HWY_DYNAMIC_DISPATCH(multiply_rows_bf16), shape.rows, dy, shape.out, weight, false, shape.in, nullptr, no_residual, dx);
}

template <>
void linear_weight_gradient(const LinearShape& shape, const float* x, const float* dy, float* dweight) {
    weight_gradient(HWY_DYNAMIC_DISPATCH(pack_rows_f32), shape, x, dy, dweight);
}

template <>
void linear_weight_gradient(const LinearShape& shape, const uint16_t* x, const uint16_t* dy, float* dweight) {
    weight_gradient(HWY_DYNAMIC_DISPATCH(pack_rows_bf16), shape, x, dy, dweight);
}

}  // namespace ddpm
#endif
