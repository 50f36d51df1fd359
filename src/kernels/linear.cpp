#include "kernels/linear.h"

#include <algorithm>

#include "ddpm/kernels/instruction_set.h"
#include "kernels/channel_parts.h"
#include "kernels/parallel.h"
#include "kernels/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear.cpp"
#include <hwy/foreach_target.h>

#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

// Packs a right factor: W ([out, in]), or with `transpose` Wᵀ.
template <class P>
void pack_weight(const float* weight, int64_t in, int64_t out, bool transpose, P* packed) {
    if (transpose)
        pack_columns_transposed(weight, in, in, out, packed);  // x·Wᵀ
    else
        pack_columns(weight, in, out, in, packed);  // dy·W
}

// Multiplies the rows first … first + count − 1 of x ([rows, depth]) with a packed matrix, and adds bias and residual, which may
// be null. scratch: count · (kColumns floats and `depth` P).
template <class T, class P>
void multiply_rows(const T* x, int64_t depth, const P* packed, const float* bias, const T* residual, T* y, int64_t columns,
                   int64_t first, int64_t count, float* scratch) {
    float* c = scratch;
    P* panels = reinterpret_cast<P*>(scratch + count * kColumns);
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

// Computes 32 rows of dweight, `stride` apart, from `count` rows of dy and x. With `add` they are added to dweight.
template <class P>
void outer_panel(const P* dy, const P* x, int64_t count, int64_t in, float* dweight, int64_t stride, bool add) {
    outer(dy, count * kPanel, x, count * kPanel, count, dweight, kPanel, in, stride, add);
}

// Sums each column over `rows` rows in float32: 32 rows at a time, and then the sums of those in their order.
template <class T>
void column_sums_of_rows(const T* x, int64_t rows, int64_t columns, float* sums) {
    for (int64_t j = 0; j < columns; j += kWidth) {
        V total = zero();
        for (int64_t m0 = 0; m0 < rows; m0 += 32) {
            V even = zero(), odd = zero();
            int64_t m = m0;
            for (const int64_t end = HWY_MIN(m0 + 32, rows); m + 1 < end; m += 2) {
                even = hn::Add(even, load(x + m * columns + j));
                odd = hn::Add(odd, load(x + (m + 1) * columns + j));
            }
            if (m < HWY_MIN(m0 + 32, rows)) even = hn::Add(even, load(x + m * columns + j));
            total = hn::Add(total, hn::Add(even, odd));
        }
        store(total, sums + j);
    }
}

// Highway exports no templates, so there is a function for each case. f32: floats are stored and multiplied; bf16: bfloat16 is
// stored, and multiplied as floats; pairs: bfloat16 is stored and multiplied. float: floats are multiplied in either case.
void pack_weight_float(const float* w, int64_t in, int64_t out, bool transpose, float* packed) {
    pack_weight(w, in, out, transpose, packed);
}
void multiply_rows_f32(const float* x, int64_t depth, const float* p, const float* b, const float* r, float* y, int64_t columns,
                       int64_t first, int64_t count, float* scratch) {
    multiply_rows(x, depth, p, b, r, y, columns, first, count, scratch);
}
void multiply_rows_bf16(const uint16_t* x, int64_t depth, const float* p, const float* b, const uint16_t* r, uint16_t* y,
                        int64_t columns, int64_t first, int64_t count, float* scratch) {
    multiply_rows(x, depth, p, b, r, y, columns, first, count, scratch);
}
void pack_rows_f32(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sides) {
    pack_sides(x, stride, rows, columns, sides);
}
void pack_rows_bf16(const uint16_t* x, int64_t stride, int64_t rows, int64_t columns, float* sides) {
    pack_sides(x, stride, rows, columns, sides);
}
void column_sums_f32(const float* x, int64_t rows, int64_t columns, float* sums) { column_sums_of_rows(x, rows, columns, sums); }
void column_sums_bf16(const uint16_t* x, int64_t rows, int64_t columns, float* sums) {
    column_sums_of_rows(x, rows, columns, sums);
}
void outer_panel_float(const float* dy, const float* x, int64_t count, int64_t in, float* dweight, int64_t stride, bool add) {
    outer_panel(dy, x, count, in, dweight, stride, add);
}
void pack_weight_pairs(const float* w, int64_t in, int64_t out, bool transpose, uint16_t* packed) {
    if constexpr (kBf16Products) pack_weight(w, in, out, transpose, packed);
}
void multiply_rows_pairs(const uint16_t* x, int64_t depth, const uint16_t* p, const float* b, const uint16_t* r, uint16_t* y,
                         int64_t columns, int64_t first, int64_t count, float* scratch) {
    if constexpr (kBf16Products) multiply_rows(x, depth, p, b, r, y, columns, first, count, scratch);
}
void pack_rows_pairs(const uint16_t* x, int64_t stride, int64_t rows, int64_t columns, uint16_t* sides) {
    if constexpr (kBf16Products) pack_sides(x, stride, rows, columns, sides);
}
void outer_panel_pairs(const uint16_t* dy, const uint16_t* x, int64_t count, int64_t in, float* dweight, int64_t stride, bool add) {
    if constexpr (kBf16Products) outer_panel(dy, x, count, in, dweight, stride, add);
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::kernels {

HWY_EXPORT(pack_weight_float);
HWY_EXPORT(pack_weight_pairs);
HWY_EXPORT(multiply_rows_f32);
HWY_EXPORT(multiply_rows_bf16);
HWY_EXPORT(multiply_rows_pairs);
HWY_EXPORT(pack_rows_f32);
HWY_EXPORT(pack_rows_bf16);
HWY_EXPORT(pack_rows_pairs);
HWY_EXPORT(column_sums_f32);
HWY_EXPORT(column_sums_bf16);
HWY_EXPORT(outer_panel_float);
HWY_EXPORT(outer_panel_pairs);

namespace {

// Returns how many floats take as much memory as `count` numbers of type P.
template <class P>
int64_t floats_for(int64_t count) {
    return count * static_cast<int64_t>(sizeof(P)) / static_cast<int64_t>(sizeof(float));
}

template <class P, class Pack, class Run, class T>
void multiply(const Pack& pack, const Run& run, int64_t rows, const T* x, int64_t depth, const float* weight, bool transpose,
              int64_t columns, const float* bias, const T* residual, T* y) {
    const Scratch matrix(floats_for<P>(depth * columns));
    P* packed = reinterpret_cast<P*>(matrix.floats());
    pack(weight, transpose ? depth : columns, transpose ? columns : depth, transpose, packed);
    constexpr int64_t block = 48, most_columns = 32;  // most_columns: kColumns of the widest vectors
    parallel_for((rows + block - 1) / block, block * most_columns + floats_for<P>(block * depth), [&](int64_t i, float* scratch) {
        run(x, depth, packed, bias, residual, y, columns, i * block, std::min(block, rows - i * block), scratch);
    });
}

void multiply(int64_t rows, const float* x, int64_t depth, const float* weight, bool transpose, int64_t columns, const float* bias,
              const float* residual, float* y) {
    multiply<float>(HWY_DYNAMIC_DISPATCH(pack_weight_float), HWY_DYNAMIC_DISPATCH(multiply_rows_f32), rows, x, depth, weight,
                    transpose, columns, bias, residual, y);
}

void multiply(int64_t rows, const uint16_t* x, int64_t depth, const float* weight, bool transpose, int64_t columns,
              const float* bias, const uint16_t* residual, uint16_t* y) {
    if (has_bf16_products())
        multiply<uint16_t>(HWY_DYNAMIC_DISPATCH(pack_weight_pairs), HWY_DYNAMIC_DISPATCH(multiply_rows_pairs), rows, x, depth,
                           weight, transpose, columns, bias, residual, y);
    else
        multiply<float>(HWY_DYNAMIC_DISPATCH(pack_weight_float), HWY_DYNAMIC_DISPATCH(multiply_rows_bf16), rows, x, depth, weight,
                        transpose, columns, bias, residual, y);
}

// Goes through the rows in blocks. The sums of a block are added to those of the block before, so that the order of additions
// is the same for any number of threads.
template <class P, class Pack, class Outer, class T>
void weight_gradient(const Pack& pack, const Outer& outer, const LinearShape& shape, const T* x, const T* dy, float* dweight) {
    constexpr int64_t block = 256, unit = 32;
    const int64_t threads = thread_count();
    if (const ChannelParts parts = channel_parts(shape.out, shape.in, threads); parts.out > 0) {
        const int64_t ins = shape.in / parts.in, outs = shape.out / parts.out;
        parallel_for(threads, floats_for<P>(block * (ins + outs)), [&](int64_t i, float* scratch) {
            const int64_t in_first = i % parts.in * ins, out_first = i / parts.in * outs;
            P *x_sides = reinterpret_cast<P*>(scratch), *dy_sides = x_sides + block * ins;
            for (int64_t first = 0; first < shape.rows; first += block) {
                const int64_t rows = std::min(block, shape.rows - first);
                const int64_t count = sizeof(P) == 2 ? (rows + 1) / 2 * 2 : rows;
                pack(x + first * shape.in + in_first, shape.in, rows, ins, x_sides);
                pack(dy + first * shape.out + out_first, shape.out, rows, outs, dy_sides);
                for (int64_t o = 0; o < outs; o += unit)
                    outer(dy_sides + o * count, x_sides, count, ins, dweight + (out_first + o) * shape.in + in_first, shape.in,
                          first > 0);
            }
        });
        return;
    }
    const Scratch scratch(floats_for<P>(block * (shape.in + shape.out)));
    P *x_sides = reinterpret_cast<P*>(scratch.floats()), *dy_sides = x_sides + block * shape.in;
    for (int64_t first = 0; first < shape.rows; first += block) {
        const int64_t rows = std::min(block, shape.rows - first);
        const int64_t count = sizeof(P) == 2 ? (rows + 1) / 2 * 2 : rows;
        const int64_t x_tasks = shape.in / unit, dy_tasks = shape.out / unit;
        parallel_for(x_tasks + dy_tasks, [&](int64_t i) {
            if (i < x_tasks)
                pack(x + first * shape.in + i * unit, shape.in, rows, unit, x_sides + i * count * unit);
            else
                pack(dy + first * shape.out + (i - x_tasks) * unit, shape.out, rows, unit, dy_sides + (i - x_tasks) * count * unit);
        });
        parallel_for(dy_tasks, [&](int64_t i) {
            outer(dy_sides + i * count * unit, x_sides, count, shape.in, dweight + i * unit * shape.in, shape.in, first > 0);
        });
    }
}

template <class Run, class T>
void sum_columns(const Run& run, int64_t rows, int64_t columns, const T* x, float* sums) {
    constexpr int64_t block = 256;
    const int64_t blocks = (rows + block - 1) / block;
    const Scratch scratch(blocks * columns);
    float* parts = scratch.floats();
    parallel_for(blocks,
                 [&](int64_t i) { run(x + i * block * columns, std::min(block, rows - i * block), columns, parts + i * columns); });
    for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < blocks; ++i) sum += parts[i * columns + j];
        sums[j] = static_cast<float>(sum);
    }
}

}  // namespace

template <>
void column_sums(int64_t rows, int64_t columns, const float* x, float* sums) {
    sum_columns(HWY_DYNAMIC_DISPATCH(column_sums_f32), rows, columns, x, sums);
}

template <>
void column_sums(int64_t rows, int64_t columns, const uint16_t* x, float* sums) {
    sum_columns(HWY_DYNAMIC_DISPATCH(column_sums_bf16), rows, columns, x, sums);
}

template <>
void linear_forward(const LinearShape& shape, const float* x, const float* weight, const float* bias, const float* residual,
                    float* y) {
    multiply(shape.rows, x, shape.in, weight, true, shape.out, bias, residual, y);
}

template <>
void linear_forward(const LinearShape& shape, const uint16_t* x, const float* weight, const float* bias, const uint16_t* residual,
                    uint16_t* y) {
    multiply(shape.rows, x, shape.in, weight, true, shape.out, bias, residual, y);
}

template <>
void linear_input_gradient(const LinearShape& shape, const float* dy, const float* weight, float* dx) {
    multiply(shape.rows, dy, shape.out, weight, false, shape.in, nullptr, nullptr, dx);
}

template <>
void linear_input_gradient(const LinearShape& shape, const uint16_t* dy, const float* weight, uint16_t* dx) {
    multiply(shape.rows, dy, shape.out, weight, false, shape.in, nullptr, nullptr, dx);
}

template <>
void linear_weight_gradient(const LinearShape& shape, const float* x, const float* dy, float* dweight) {
    weight_gradient<float>(HWY_DYNAMIC_DISPATCH(pack_rows_f32), HWY_DYNAMIC_DISPATCH(outer_panel_float), shape, x, dy, dweight);
}

template <>
void linear_weight_gradient(const LinearShape& shape, const uint16_t* x, const uint16_t* dy, float* dweight) {
    if (has_bf16_products())
        weight_gradient<uint16_t>(HWY_DYNAMIC_DISPATCH(pack_rows_pairs), HWY_DYNAMIC_DISPATCH(outer_panel_pairs), shape, x, dy,
                                  dweight);
    else
        weight_gradient<float>(HWY_DYNAMIC_DISPATCH(pack_rows_bf16), HWY_DYNAMIC_DISPATCH(outer_panel_float), shape, x, dy,
                               dweight);
}

}  // namespace ddpm::kernels
#endif
