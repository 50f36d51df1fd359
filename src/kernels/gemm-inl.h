// Products of matrices, from which the kernels are made. This file is included once for each instruction set.
#if defined(DDPM_KERNELS_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_KERNELS_GEMM_INL_H
#undef DDPM_KERNELS_GEMM_INL_H
#else
#define DDPM_KERNELS_GEMM_INL_H
#endif

#include <cstdint>

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

// Factors are floats, or bfloat16 (uint16_t) two at a time if the machine has such an instruction; sums are floats. Factors
// have one of three layouts, in which `pair` neighbours in k lie together, one of floats and two of bfloat16:
//   panels, for the left factor: (m, k) at k/32·panel + m·32 + k%32;
//   columns, for the right factor, kColumns of its columns together:
//     (k, j) at j/kColumns·depth·kColumns + k/pair·pair·kColumns + j%kColumns·pair + k%pair;
//   sides, for both factors of Aᵀ·B: (k, m) at m/32·panel + k/pair·pair·32 + m%32·pair + k%pair. For floats these are panels.
constexpr auto kWidth = static_cast<int64_t>(kLanes);
constexpr int64_t kColumns = 2 * kWidth;
constexpr int64_t kRows = kManyRegisters ? 12 : 6;  // rows × 2 vectors of sums stay in registers
constexpr int64_t kPanel = 32;
template <class P>
constexpr int64_t kPair = sizeof(P) == 2 ? 2 : 1;

// Highway 1.0 has no instruction set with products of bfloat16, so there is one intrinsic here. The attribute lets the compiler
// use it in the functions that follow. It replaces the attribute of HWY_BEFORE_NAMESPACE, because Clang heeds only one.
// has_bf16_products() (instruction_set.h) says whether the machine has the instruction.
#undef DDPM_KERNELS_BF16_PRODUCTS
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define DDPM_KERNELS_BF16_PRODUCTS 1
HWY_POP_ATTRIBUTES
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
#else
#define DDPM_KERNELS_BF16_PRODUCTS 0
#endif
constexpr bool kBf16Products = DDPM_KERNELS_BF16_PRODUCTS;

HWY_INLINE V factors(const float* p) { return hn::Load(D(), p); }
HWY_INLINE V broadcast(const float* p) { return set(*p); }
HWY_INLINE V multiply_add(V x, V y, V sum) { return hn::MulAdd(x, y, sum); }
#if DDPM_KERNELS_BF16_PRODUCTS
using Pairs = hn::Vec<hn::Repartition<uint16_t, D>>;
HWY_INLINE Pairs factors(const uint16_t* p) { return hn::Load(hn::Repartition<uint16_t, D>(), p); }
HWY_INLINE Pairs broadcast(const uint16_t* p) {
    uint32_t pair;
    hwy::CopyBytes<4>(p, &pair);
    return hn::BitCast(hn::Repartition<uint16_t, D>(), hn::Set(hn::Rebind<uint32_t, D>(), pair));
}
HWY_INLINE V multiply_add(Pairs x, Pairs y, V sum) { return V{_mm512_dpbf16_ps(sum.raw, (__m512bh)x.raw, (__m512bh)y.raw)}; }
#endif

// Computes R rows × kColumns of C = A·B. A lies in panels, B in columns; C(m, ·) is at c + m·kColumns.
template <int R, class P>
HWY_INLINE void product_rows(const P* a, int64_t panel, const P* b, int64_t depth, float* c) {
    constexpr int64_t pair = kPair<P>;
    V left[R], right[R];
    for (int m = 0; m < R; ++m) left[m] = right[m] = zero();
    for (int64_t k0 = 0; k0 < depth; k0 += kPanel, a += panel)
        for (int64_t k = 0; k < kPanel; k += pair, b += pair * kColumns) {
            const auto b0 = factors(b), b1 = factors(b + pair * kWidth);
            HWY_UNROLL(16)
            for (int m = 0; m < R; ++m) {
                const auto x = broadcast(a + m * kPanel + k);
                left[m] = multiply_add(x, b0, left[m]);
                right[m] = multiply_add(x, b1, right[m]);
            }
        }
    for (int m = 0; m < R; ++m) {
        hn::Store(left[m], D(), c + m * kColumns);
        hn::Store(right[m], D(), c + m * kColumns + kWidth);
    }
}

template <class P>
HWY_NOINLINE void product(const P* a, int64_t panel, const P* b, int64_t depth, float* c, int64_t rows) {
    int64_t r = 0;
    for (; rows - r >= kRows; r += kRows) product_rows<kRows>(a + r * kPanel, panel, b, depth, c + r * kColumns);
    if constexpr (kRows > 8)
        for (; rows - r >= 8; r += 8) product_rows<8>(a + r * kPanel, panel, b, depth, c + r * kColumns);
    for (; rows - r >= 4; r += 4) product_rows<4>(a + r * kPanel, panel, b, depth, c + r * kColumns);
    for (; r < rows; ++r) product_rows<1>(a + r * kPanel, panel, b, depth, c + r * kColumns);
}

// Computes R rows × kColumns of C = Aᵀ·B over `depth`, from sides. With `add` they are added to C.
template <int R, class P>
HWY_INLINE void outer_rows(const P* a, const P* b, int64_t depth, float* c, int64_t stride, bool add) {
    constexpr int64_t pair = kPair<P>;
    V left[R], right[R];
    for (int m = 0; m < R; ++m) {
        left[m] = add ? load(c + m * stride) : zero();
        right[m] = add ? load(c + m * stride + kWidth) : zero();
    }
    for (int64_t k = 0; k < depth; k += pair, a += pair * kPanel, b += pair * kPanel) {
        const auto b0 = factors(b), b1 = factors(b + pair * kWidth);
        HWY_UNROLL(16)
        for (int m = 0; m < R; ++m) {
            const auto x = broadcast(a + m * pair);
            left[m] = multiply_add(x, b0, left[m]);
            right[m] = multiply_add(x, b1, right[m]);
        }
    }
    for (int m = 0; m < R; ++m) {
        store(left[m], c + m * stride);
        store(right[m], c + m * stride + kWidth);
    }
}

// Computes rows × columns of C = Aᵀ·B in the same way. The panels of A are a_panel apart, those of B b_panel.
template <class P>
HWY_NOINLINE void outer(const P* a, int64_t a_panel, const P* b, int64_t b_panel, int64_t depth, float* c, int64_t rows,
                        int64_t columns, int64_t stride, bool add) {
    constexpr int64_t step = kManyRegisters ? 8 : 4, pair = kPair<P>;
    for (int64_t j = 0; j < columns; j += kColumns)
        for (int64_t m = 0; m < rows; m += step)
            outer_rows<step>(a + m / kPanel * a_panel + m % kPanel * pair, b + j / kPanel * b_panel + j % kPanel * pair, depth,
                             c + m * stride + j, stride, add);
}

#if DDPM_KERNELS_BF16_PRODUCTS
HWY_POP_ATTRIBUTES
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR)

// These return numbers as bfloat16, in the lower halves of 32 bits.
HWY_INLINE Bits bf16_bits(const float* p) { return bf16_bits(load(p)); }
HWY_INLINE Bits bf16_bits(const uint16_t* p) {
    return hn::PromoteTo(hn::Rebind<uint32_t, D>(), hn::LoadU(hn::Rebind<uint16_t, D>(), p));
}

// Stores the numbers of two rows side by side; zeros take the place of a second row that is null.
template <class T>
HWY_INLINE void store_pairs(const T* first, const T* second, uint16_t* out) {
    Bits bits = bf16_bits(first);
    if (second) bits = hn::Or(bits, hn::ShiftLeft<16>(bf16_bits(second)));
    hn::StoreU(hn::BitCast(hn::Repartition<uint16_t, D>(), bits), hn::Repartition<uint16_t, D>(), out);
}
#endif

// Packs `rows` rows of `depth` numbers, `stride` apart, into panels.
template <class T, class P>
HWY_INLINE void pack_panels(const T* x, int64_t stride, int64_t rows, int64_t depth, P* panels) {
    for (int64_t k = 0; k < depth; k += kWidth) {
        P* out = panels + k / kPanel * rows * kPanel + k % kPanel;
        for (int64_t m = 0; m < rows; ++m) store(load(x + m * stride + k), out + m * kPanel);
    }
}

// Packs `rows` rows of `columns` numbers, `stride` apart, into sides; each row is one k. The last pair of an odd number of rows
// is filled with zeros.
template <class T, class P>
HWY_INLINE void pack_sides(const T* x, int64_t stride, int64_t rows, int64_t columns, P* sides) {
    if constexpr (kPair<P> == 1) {
        pack_panels(x, stride, rows, columns, sides);
    } else {
        const int64_t panel = (rows + 1) / 2 * 2 * kPanel;
        for (int64_t m = 0; m < columns; m += kWidth) {
            P* out = sides + m / kPanel * panel + m % kPanel * 2;
            for (int64_t k = 0; k < rows; k += 2) {
                const T* row = x + k * stride + m;
                store_pairs(row, k + 1 < rows ? row + stride : nullptr, out + k * kPanel);
            }
        }
    }
}

// Packs a matrix of `depth` × `columns` into columns, from its rows, `stride` apart.
template <class T, class P>
HWY_INLINE void pack_columns(const T* x, int64_t stride, int64_t depth, int64_t columns, P* packed) {
    constexpr int64_t pair = kPair<P>;
    for (int64_t j = 0; j < columns; j += kWidth) {
        P* out = packed + j / kColumns * depth * kColumns + j % kColumns * pair;
        for (int64_t k = 0; k < depth; k += pair) {
            const T* row = x + k * stride + j;
            if constexpr (pair == 1)
                store(load(row), out + k * kColumns);
            else
                store_pairs(row, row + stride, out + k * kColumns);
        }
    }
}

// Packs a matrix of `depth` × `columns` into columns, from the rows of its transpose, `stride` apart.
template <class T, class P>
HWY_INLINE void pack_columns_transposed(const T* x, int64_t stride, int64_t depth, int64_t columns, P* packed) {
    constexpr int64_t pair = kPair<P>;
    for (int64_t j0 = 0; j0 < columns; j0 += kColumns) {
        P* out = packed + j0 * depth;
        for (int64_t k0 = 0; k0 < depth; k0 += kWidth)
            for (int64_t j = 0; j < kColumns; ++j) {
                HWY_ALIGN P row[kLanes];
                store(load(x + (j0 + j) * stride + k0), row);
                for (int64_t k = 0; k < kWidth; k += pair)
                    hwy::CopyBytes<pair * sizeof(P)>(row + k, out + (k0 + k) * kColumns + j * pair);
            }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#endif
