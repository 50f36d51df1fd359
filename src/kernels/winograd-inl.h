// Winograd's transforms, and tiles of images to and from them. This file is included once for each instruction set.
#if defined(DDPM_KERNELS_WINOGRAD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_KERNELS_WINOGRAD_INL_H
#undef DDPM_KERNELS_WINOGRAD_INL_H
#else
#define DDPM_KERNELS_WINOGRAD_INL_H
#endif

#include <cstdint>

#include <hwy/cache_control.h>

#include "kernels/gemm-inl.h"
#include "kernels/winograd.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

constexpr int64_t kPositions = 36;  // 6×6 products a tile

// Adds a cache line between the positions: if they were powers of two apart, they would compete for the same place in the
// cache.
HWY_INLINE int64_t padded(int64_t floats) { return floats + 16; }

// ---- the transforms, one dimension of each; arXiv 1509.09308 with the points 0, ±1, ±2, ∞ ----

// Bᵀ d: 6 pixels to 6 positions.
HWY_INLINE void transform_input(const V* d, V* o) {
    const V f2 = set(2.0f), f4 = set(4.0f), f5 = set(5.0f);
    o[0] = hn::MulAdd(f4, d[0], hn::NegMulAdd(f5, d[2], d[4]));
    const V a = hn::NegMulAdd(f4, d[2], d[4]), b = hn::NegMulAdd(f4, d[1], d[3]);
    o[1] = hn::Add(a, b);
    o[2] = hn::Sub(a, b);
    const V c = hn::Sub(d[4], d[2]), e = hn::Sub(d[3], d[1]);
    o[3] = hn::MulAdd(f2, e, c);
    o[4] = hn::NegMulAdd(f2, e, c);
    o[5] = hn::MulAdd(f4, d[1], hn::NegMulAdd(f5, d[3], d[5]));
}

// G g: 3 weights to 6 positions.
HWY_INLINE void transform_weight(V g0, V g1, V g2, V* o) {
    o[0] = hn::Mul(set(1 / 4.0f), g0);
    const V even = hn::Mul(set(-1 / 6.0f), hn::Add(g0, g2)), odd = hn::Mul(set(-1 / 6.0f), g1);
    o[1] = hn::Add(even, odd);
    o[2] = hn::Sub(even, odd);
    const V far = hn::MulAdd(set(1 / 6.0f), g2, hn::Mul(set(1 / 24.0f), g0)), turn = hn::Mul(set(1 / 12.0f), g1);
    o[3] = hn::Add(far, turn);
    o[4] = hn::Sub(far, turn);
    o[5] = g2;
}

// Aᵀ m: 6 positions to 4 pixels.
HWY_INLINE void transform_output(const V* m, V* o) {
    const V s1 = hn::Add(m[1], m[2]), d1 = hn::Sub(m[1], m[2]), s2 = hn::Add(m[3], m[4]), d2 = hn::Sub(m[3], m[4]);
    o[0] = hn::Add(hn::Add(m[0], s1), s2);
    o[1] = hn::MulAdd(set(2.0f), d2, d1);
    o[2] = hn::MulAdd(set(4.0f), s2, s1);
    o[3] = hn::Add(hn::MulAdd(set(8.0f), d2, d1), m[5]);
}

// The gradient of the weights is itself a convolution, of 6×6 pixels of x with 4×4 of dy: F(3×3,4×4). Its "weights" are
// dy: 4 pixels to 6 positions.
HWY_INLINE void transform_gradient(const V* e, V* o) {
    o[0] = hn::Mul(set(1 / 4.0f), e[0]);
    const V even = hn::Mul(set(-1 / 6.0f), hn::Add(e[0], e[2])), odd = hn::Mul(set(-1 / 6.0f), hn::Add(e[1], e[3]));
    o[1] = hn::Add(even, odd);
    o[2] = hn::Sub(even, odd);
    const V far = hn::MulAdd(set(1 / 6.0f), e[2], hn::Mul(set(1 / 24.0f), e[0]));
    const V turn = hn::MulAdd(set(1 / 3.0f), e[3], hn::Mul(set(1 / 12.0f), e[1]));
    o[3] = hn::Add(far, turn);
    o[4] = hn::Sub(far, turn);
    o[5] = e[3];
}

// 6 positions to 3 weights.
HWY_INLINE void transform_weight_gradient(const V* m, V* o) {
    const V s1 = hn::Add(m[1], m[2]), d1 = hn::Sub(m[1], m[2]), s2 = hn::Add(m[3], m[4]), d2 = hn::Sub(m[3], m[4]);
    o[0] = hn::Add(hn::Add(m[0], s1), s2);
    o[1] = hn::MulAdd(set(2.0f), d2, d1);
    o[2] = hn::Add(hn::MulAdd(set(4.0f), s2, s1), m[5]);
}

// ---- tiles ----

struct Tile {
    int64_t image, y, x;  // of its first pixel
};

HWY_INLINE Tile tile_at(const ConvShape& shape, int64_t i) {
    const int64_t across = (shape.width + 3) / 4, down = (shape.height + 3) / 4;
    return {i / (down * across), i / across % down * 4, i % across * 4};
}

// Returns the distance in pixels from a tile's first pixel to that of the next tile in the same image. For the last tile it
// leads beyond the image, which is harmless, because it serves to prefetch alone.
HWY_INLINE int64_t to_next_tile(const ConvShape& shape, const Tile& tile) {
    return tile.x + 4 < shape.width ? 4 : 4 * shape.width - tile.x;
}

// Transforms kWidth channels of the 6×6 pixels around a tile; position p goes to out + p·spacing. It also prefetches the pixels
// of the next tile, which are too far apart for the processor to foresee them.
template <class T>
HWY_INLINE void input_tile(const ConvShape& shape, const T* image, const Tile& tile, float* out, int64_t spacing) {
    const int64_t next = to_next_tile(shape, tile) * shape.in;
    const int64_t y0 = tile.y - 1, x0 = tile.x - 1, C = shape.in;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + 6 <= shape.height && x0 + 6 <= shape.width;
    V rows[6][6];
    for (int64_t j = 0; j < 6; ++j) {
        V d[6], o[6];
        for (int64_t i = 0; i < 6; ++i) {
            const int64_t y = y0 + i, x = x0 + j;
            if (j >= 2) hwy::Prefetch(image + (y * shape.width + x) * C + next);  // those of j < 2 belong to this tile too
            d[i] = inside || (y >= 0 && y < shape.height && x >= 0 && x < shape.width) ? load(image + (y * shape.width + x) * C)
                                                                                       : zero();
        }
        transform_input(d, o);
        for (int i = 0; i < 6; ++i) rows[i][j] = o[i];
    }
    for (int i = 0; i < 6; ++i) {
        V o[6];
        transform_input(rows[i], o);
        for (int j = 0; j < 6; ++j) store(o[j], out + (i * 6 + j) * spacing);
    }
}

// Does the same for the 4×4 pixels of dy in a tile.
template <class T>
HWY_INLINE void gradient_tile(const ConvShape& shape, const T* image, const Tile& tile, float* out, int64_t spacing) {
    const int64_t next = to_next_tile(shape, tile) * shape.out;
    V rows[6][4];
    for (int64_t j = 0; j < 4; ++j) {
        V e[4], o[6];
        for (int64_t i = 0; i < 4; ++i) {
            const int64_t y = tile.y + i, x = tile.x + j;
            hwy::Prefetch(image + (y * shape.width + x) * shape.out + next);
            e[i] = y < shape.height && x < shape.width ? load(image + (y * shape.width + x) * shape.out) : zero();
        }
        transform_gradient(e, o);
        for (int i = 0; i < 6; ++i) rows[i][j] = o[i];
    }
    for (int i = 0; i < 6; ++i) {
        V o[6];
        transform_gradient(rows[i], o);
        for (int j = 0; j < 6; ++j) store(o[j], out + (i * 6 + j) * spacing);
    }
}

// Transforms kWidth channels of a tile's products (position p at products + p·spacing) into its 4×4 pixels of y, with bias and
// residual (or null) added.
template <class T>
HWY_INLINE void output_tile(const ConvShape& shape, const float* products, int64_t spacing, const Tile& tile, V bias,
                            const T* residual, T* y) {
    V rows[4][6];
    for (int j = 0; j < 6; ++j) {
        V m[6], o[4];
        for (int i = 0; i < 6; ++i) m[i] = load(products + (i * 6 + j) * spacing);
        transform_output(m, o);
        for (int i = 0; i < 4; ++i) rows[i][j] = o[i];
    }
    for (int64_t i = 0; i < 4 && tile.y + i < shape.height; ++i) {
        V o[4];
        transform_output(rows[i], o);
        for (int64_t j = 0; j < 4 && tile.x + j < shape.width; ++j) {
            const int64_t at = ((tile.y + i) * shape.width + tile.x + j) * shape.out;
            const V v = hn::Add(o[j], bias);
            store(residual ? hn::Add(v, load(residual + at)) : v, y + at);
        }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#endif
