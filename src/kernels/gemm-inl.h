// Products of matrices in float32, from which the kernels are made; included once for each instruction set.
#if defined(DDPM_KERNELS_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_KERNELS_GEMM_INL_H
#undef DDPM_KERNELS_GEMM_INL_H
#else
#define DDPM_KERNELS_GEMM_INL_H
#endif

#include <cstdint>

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm {
namespace HWY_NAMESPACE {

// Two layouts. Panels: 32 columns of a matrix lie together, (m, k) at k/32·panel + m·32 + k%32. Columns: what is multiplied
// from the right, kColumns of its columns together, (k, j) at (j/kColumns)·depth·kColumns + k·kColumns + j%kColumns.
constexpr auto kWidth = static_cast<int64_t>(kLanes);
constexpr int64_t kColumns = 2 * kWidth;
constexpr int64_t kRows = kManyRegisters ? 12 : 6;  // rows × 2 vectors of sums stay in registers
constexpr int64_t kPanel = 32;

// rows × kColumns of A·B. A lies in panels of 32 columns: A(m, k) at a + k/32·panel + m·32 + k%32; B(k, ·) at
// b + k·kColumns; C(m, ·) at c + m·kColumns.
template <int R>
HWY_INLINE void product_rows(const float* a, int64_t panel, const float* b, int64_t depth, float* c) {
    V left[R], right[R];
    for (int m = 0; m < R; ++m) left[m] = right[m] = zero();
    for (int64_t k0 = 0; k0 < depth; k0 += kPanel, a += panel)
        for (int64_t k = 0; k < kPanel; ++k, b += kColumns) {
            const V b0 = hn::Load(D(), b), b1 = hn::Load(D(), b + kWidth);
            HWY_UNROLL(16)
            for (int m = 0; m < R; ++m) {
                const V x = set(a[m * kPanel + k]);
                left[m] = hn::MulAdd(x, b0, left[m]);
                right[m] = hn::MulAdd(x, b1, right[m]);
            }
        }
    for (int m = 0; m < R; ++m) {
        hn::Store(left[m], D(), c + m * kColumns);
        hn::Store(right[m], D(), c + m * kColumns + kWidth);
    }
}

inline HWY_NOINLINE void product(const float* a, int64_t panel, const float* b, int64_t depth, float* c, int64_t rows) {
    int64_t r = 0;
    for (; rows - r >= kRows; r += kRows)
        product_rows<kRows>(a + r * kPanel, panel, b, depth, c + r * kColumns);
    if constexpr (kRows > 8)
        for (; rows - r >= 8; r += 8) product_rows<8>(a + r * kPanel, panel, b, depth, c + r * kColumns);
    for (; rows - r >= 4; r += 4) product_rows<4>(a + r * kPanel, panel, b, depth, c + r * kColumns);
    for (; r < rows; ++r) product_rows<1>(a + r * kPanel, panel, b, depth, c + r * kColumns);
}

// R rows × kColumns of Aᵀ·B over `depth` tiles, added to C: A(k, m) at a + k·32 + m, B(k, ·) at b + k·32.
template <int R>
HWY_INLINE void outer_rows(const float* a, const float* b, int64_t depth, float* c, int64_t stride, bool add) {
    V left[R], right[R];
    for (int m = 0; m < R; ++m) {
        left[m] = add ? load(c + m * stride) : zero();
        right[m] = add ? load(c + m * stride + kWidth) : zero();
    }
    for (int64_t k = 0; k < depth; ++k, a += kPanel, b += kPanel) {
        const V b0 = hn::Load(D(), b), b1 = hn::Load(D(), b + kWidth);
        HWY_UNROLL(16)
        for (int m = 0; m < R; ++m) {
            const V x = set(a[m]);
            left[m] = hn::MulAdd(x, b0, left[m]);
            right[m] = hn::MulAdd(x, b1, right[m]);
        }
    }
    for (int m = 0; m < R; ++m) {
        store(left[m], c + m * stride);
        store(right[m], c + m * stride + kWidth);
    }
}

// rows × columns of C = Aᵀ·B over `depth`, both in panels (32·rows apart `a_panel` and `b_panel`), added to C or not.
inline HWY_NOINLINE void outer(const float* a, int64_t a_panel, const float* b, int64_t b_panel, int64_t depth, float* c,
                        int64_t rows, int64_t columns, int64_t stride, bool add) {
    constexpr int64_t step = kManyRegisters ? 8 : 4;
    for (int64_t j = 0; j < columns; j += kColumns)
        for (int64_t m = 0; m < rows; m += step)
            outer_rows<step>(a + m / kPanel * a_panel + m % kPanel, b + j / kPanel * b_panel + j % kPanel, depth,
                             c + m * stride + j, stride, add);
}

// `rows` rows of `depth` numbers, `stride` apart, into panels.
template <class T>
HWY_INLINE void pack_panels(const T* x, int64_t stride, int64_t rows, int64_t depth, float* panels) {
    for (int64_t k = 0; k < depth; k += kWidth) {
        float* out = panels + k / kPanel * rows * kPanel + k % kPanel;
        for (int64_t m = 0; m < rows; ++m) store(load(x + m * stride + k), out + m * kPanel);
    }
}

// A matrix of `depth` × `columns` into columns, from its rows (`stride` apart) …
template <class T>
HWY_INLINE void pack_columns(const T* x, int64_t stride, int64_t depth, int64_t columns, float* packed) {
    for (int64_t j = 0; j < columns; j += kWidth) {
        float* out = packed + j / kColumns * depth * kColumns + j % kColumns;
        for (int64_t k = 0; k < depth; ++k) store(load(x + k * stride + j), out + k * kColumns);
    }
}

HWY_INLINE float number(float x) { return x; }
HWY_INLINE float number(uint16_t x) {
    const uint32_t bits = static_cast<uint32_t>(x) << 16;
    float value;
    hwy::CopyBytes<4>(&bits, &value);
    return value;
}

// … or from those of its transpose.
template <class T>
HWY_INLINE void pack_columns_transposed(const T* x, int64_t stride, int64_t depth, int64_t columns, float* packed) {
    for (int64_t j0 = 0; j0 < columns; j0 += kColumns) {
        float* out = packed + j0 * depth;
        for (int64_t k0 = 0; k0 < depth; k0 += 16)
            for (int64_t j = 0; j < kColumns; ++j) {
                const T* row = x + (j0 + j) * stride + k0;
                for (int64_t k = 0; k < 16; ++k) out[(k0 + k) * kColumns + j] = number(row[k]);
            }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm
HWY_AFTER_NAMESPACE();

#endif
