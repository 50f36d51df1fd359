#include "kernels/winograd.h"

#include <algorithm>

#include <hwy/cache_control.h>

#include "kernels/channel_parts.h"
#include "kernels/parallel.h"
#include "kernels/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/winograd.cpp"
#include <hwy/foreach_target.h>

#include "kernels/gemm-inl.h"

#ifndef DDPM_KERNELS_CHANNEL_PART
#define DDPM_KERNELS_CHANNEL_PART
namespace ddpm {

struct ChannelPart {
    int64_t in_first, in_count, out_first, out_count;  // multiples of 32
};

}  // namespace ddpm
#endif

HWY_BEFORE_NAMESPACE();
namespace ddpm {
namespace HWY_NAMESPACE {

constexpr int64_t kPositions = 36;                 // 6×6 products a tile

// A cache line between the positions: powers of two apart they would fall onto each other in the cache.
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

// From a tile's first pixel to that of the tile after it, which is in the same image; where it isn't, somewhere harmless.
HWY_INLINE int64_t to_next_tile(const ConvShape& shape, const Tile& tile) {
    return tile.x + 4 < shape.width ? 4 : 4 * shape.width - tile.x;
}

// kWidth channels of the 6×6 pixels around a tile, transformed: position p goes to out + p·spacing. Meanwhile those of the next
// tile are fetched: pixels are too far apart for the processor to foresee them.
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
            if (j >= 2) hwy::Prefetch(image + (y * shape.width + x) * C + next);  // the others belong to this tile too
            d[i] = inside || (y >= 0 && y < shape.height && x >= 0 && x < shape.width)
                       ? load(image + (y * shape.width + x) * C)
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

// kWidth channels of the 4×4 pixels of dy, transformed.
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

// kWidth channels of the products of a tile (position p at products + p·spacing) to its 4×4 pixels of y.
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

// ---- the passes ----

// A whole line that is written once needs no reading before.
HWY_INLINE void store_past_cache(V v, float* p) {
    if constexpr (kLanes == 16)
        hn::Stream(v, D(), p);
    else
        store(v, p);
}

// transformed: [36][out / kColumns][in][kColumns], positions padded.
void weight_rows(const ConvShape& shape, const float* weight, bool transpose, float* transformed, int64_t i) {
    const hn::Rebind<int32_t, D> di;
    const int64_t spacing = padded(shape.in * shape.out);
    // weight(o, i, tap) of the convolution at hand: [out, in, 9], or exchanged and turned.
    const int64_t step = transpose ? 9 : 9 * shape.in;
    const auto index = hn::Mul(hn::Iota(di, 0), hn::Set(di, static_cast<int32_t>(step)));
    for (int64_t o = 0; o < shape.out; o += kWidth) {
        const float* taps = transpose ? weight + (i * shape.out + o) * 9 : weight + (o * shape.in + i) * 9;
        V g[3][3], rows[6][3];
        for (int64_t r = 0; r < 3; ++r)
            for (int64_t s = 0; s < 3; ++s)
                g[r][s] = hn::GatherIndex(D(), taps + (transpose ? 8 - (r * 3 + s) : r * 3 + s), index);
        for (int s = 0; s < 3; ++s) {
            V q[6];
            transform_weight(g[0][s], g[1][s], g[2][s], q);
            for (int r = 0; r < 6; ++r) rows[r][s] = q[r];
        }
        float* out = transformed + (o / kColumns * shape.in + i) * kColumns + o % kColumns;
        for (int r = 0; r < 6; ++r) {
            V q[6];
            transform_weight(rows[r][0], rows[r][1], rows[r][2], q);
            for (int s = 0; s < 6; ++s) store_past_cache(q[s], out + (r * 6 + s) * spacing);
        }
    }
    hwy::FlushStream();
}

// The tiles first … first + count − 1 and the output channels out_first … out_last − 1, multiples of kPanel.
template <class T>
void convolve_block(const ConvShape& shape, const T* x, const float* transformed, const float* bias, const T* residual,
                    T* y, int64_t first, int64_t count, int64_t out_first, int64_t out_last) {
    const int64_t image_in = shape.height * shape.width * shape.in, image_out = shape.height * shape.width * shape.out;
    const int64_t outs = out_last - out_first;
    const int64_t in_spacing = padded(shape.in * count), out_spacing = padded(count * outs);
    const int64_t weight_spacing = padded(shape.in * shape.out);
    static thread_local Scratch in_scratch, out_scratch;
    float* inputs = in_scratch.floats(static_cast<size_t>(kPositions * in_spacing));
    float* products = out_scratch.floats(static_cast<size_t>(kPositions * out_spacing));
    for (int64_t i = 0; i < count; ++i) {
        const Tile tile = tile_at(shape, first + i);
        for (int64_t c = 0; c < shape.in; c += kWidth)
            input_tile(shape, x + tile.image * image_in + c, tile,
                       inputs + (c / kPanel * count + i) * kPanel + c % kPanel, in_spacing);
    }
    // A position's tiles stay in the first caches while its weights go by, once for the block: those are what there is most
    // of to read.
    for (int64_t p = 0; p < kPositions; ++p)
        for (int64_t o = 0; o < outs; o += kColumns)
            product(inputs + p * in_spacing, count * kPanel, transformed + p * weight_spacing + (out_first + o) * shape.in, shape.in,
                    products + p * out_spacing + o * count, count);
    for (int64_t o = 0; o < outs; o += kWidth) {
        const V b = bias ? load(bias + out_first + o) : zero();
        for (int64_t i = 0; i < count; ++i) {
            const Tile tile = tile_at(shape, first + i);
            const int64_t at = tile.image * image_out + out_first + o;
            output_tile(shape, products + (o / kColumns * count + i) * kColumns + o % kColumns, out_spacing, tile, b,
                        residual ? residual + at : nullptr, y + at);
        }
    }
}

// Tile i of a chunk of `chunk`: x to [36][in / 32][chunk][32], dy to [36][out / 32][chunk][32].
template <class T>
void gradient_inputs(const ConvShape& shape, const T* x, const T* dy, float* inputs, float* gradients, int64_t first,
                     int64_t i, int64_t chunk) {
    const Tile tile = tile_at(shape, first + i);
    const int64_t pixels = shape.height * shape.width;
    for (int64_t c = 0; c < shape.in; c += kWidth)
        input_tile(shape, x + tile.image * pixels * shape.in + c, tile,
                   inputs + (c / kPanel * chunk + i) * kPanel + c % kPanel, padded(shape.in * chunk));
    for (int64_t c = 0; c < shape.out; c += kWidth)
        gradient_tile(shape, dy + tile.image * pixels * shape.out + c, tile,
                      gradients + (c / kPanel * chunk + i) * kPanel + c % kPanel, padded(shape.out * chunk));
}

// sums [36][out][in] += dy · x of `count` tiles at one position, for 32 of the outputs.
void gradient_products(const ConvShape& shape, const float* inputs, const float* gradients, float* sums,
                       int64_t position, int64_t out_panel, int64_t count, int64_t chunk, bool add) {
    const float* dy = gradients + position * padded(shape.out * chunk) + out_panel * chunk * kPanel;
    const float* x = inputs + position * padded(shape.in * chunk);
    float* c = sums + position * padded(shape.in * shape.out) + out_panel * kPanel * shape.in;
    outer(dy, chunk * kPanel, x, chunk * kPanel, count, c, kPanel, shape.in, shape.in, add);
}

// The sums [36][·][columns] of one output channel (row) and `columns` input channels to their weights.
void gradient_weights(const float* sums, int64_t spacing, int64_t row, int64_t columns, float* dweight) {
    HWY_ALIGN float taps[9][kLanes];
    for (int64_t i = 0; i < columns; i += kWidth) {
        const float* at = sums + row * columns + i;
        V turned[3][6];
        for (int j = 0; j < 6; ++j) {
            V m[6], q[3];
            for (int r = 0; r < 6; ++r) m[r] = load(at + (r * 6 + j) * spacing);
            transform_weight_gradient(m, q);
            for (int r = 0; r < 3; ++r) turned[r][j] = q[r];
        }
        for (int r = 0; r < 3; ++r) {
            V q[3];
            transform_weight_gradient(turned[r], q);
            for (int s = 0; s < 3; ++s) hn::Store(q[s], D(), taps[r * 3 + s]);
        }
        float* out = dweight + i * 9;
        for (size_t lane = 0; lane < kLanes; ++lane)
            for (int tap = 0; tap < 9; ++tap) *out++ = taps[tap][lane];
    }
}

// All of the gradient for the channels of `part`, by one thread with memory of its own.
template <class T>
void gradient_part(const ConvShape& shape, const T* x, const T* dy, float* dweight, const ChannelPart& part, int64_t chunk) {
    const int64_t pixels = shape.height * shape.width, tiles = shape.tiles(), ins = part.in_count, outs = part.out_count;
    const int64_t in_spacing = padded(ins * chunk), out_spacing = padded(outs * chunk), spacing = padded(ins * outs);
    static thread_local Scratch in_scratch, out_scratch, sum_scratch;
    float* inputs = in_scratch.floats(static_cast<size_t>(kPositions * in_spacing));
    float* gradients = out_scratch.floats(static_cast<size_t>(kPositions * out_spacing));
    float* sums = sum_scratch.floats(static_cast<size_t>(kPositions * spacing));
    for (int64_t first = 0; first < tiles; first += chunk) {
        const int64_t count = std::min(chunk, tiles - first);
        for (int64_t i = 0; i < count; ++i) {
            const Tile tile = tile_at(shape, first + i);
            for (int64_t c = 0; c < ins; c += kWidth)
                input_tile(shape, x + tile.image * pixels * shape.in + part.in_first + c, tile,
                           inputs + (c / kPanel * chunk + i) * kPanel + c % kPanel, in_spacing);
            for (int64_t c = 0; c < outs; c += kWidth)
                gradient_tile(shape, dy + tile.image * pixels * shape.out + part.out_first + c, tile,
                              gradients + (c / kPanel * chunk + i) * kPanel + c % kPanel, out_spacing);
        }
        for (int64_t p = 0; p < kPositions; ++p)
            for (int64_t o = 0; o < outs; o += kPanel)
                outer(gradients + p * out_spacing + o * chunk, chunk * kPanel, inputs + p * in_spacing, chunk * kPanel, count,
                      sums + p * spacing + o * ins, kPanel, ins, ins, first > 0);
    }
    for (int64_t o = 0; o < outs; ++o)
        gradient_weights(sums, spacing, o, ins, dweight + ((part.out_first + o) * shape.in + part.in_first) * 9);
}

// A row of weights from the sums of all channels.
void gradient_row(const ConvShape& shape, const float* sums, float* dweight, int64_t o) {
    gradient_weights(sums, padded(shape.in * shape.out), o, shape.in, dweight + o * shape.in * 9);
}

void gradient_part_f32(const ConvShape& s, const float* x, const float* dy, float* w, const ChannelPart& part, int64_t chunk) {
    gradient_part(s, x, dy, w, part, chunk);
}
void gradient_part_bf16(const ConvShape& s, const uint16_t* x, const uint16_t* dy, float* w, const ChannelPart& part, int64_t chunk) {
    gradient_part(s, x, dy, w, part, chunk);
}
void convolve_block_f32(const ConvShape& s, const float* x, const float* t, const float* b, const float* r, float* y,
                        int64_t first, int64_t count, int64_t out_first, int64_t out_last) {
    convolve_block(s, x, t, b, r, y, first, count, out_first, out_last);
}
void convolve_block_bf16(const ConvShape& s, const uint16_t* x, const float* t, const float* b, const uint16_t* r,
                         uint16_t* y, int64_t first, int64_t count, int64_t out_first, int64_t out_last) {
    convolve_block(s, x, t, b, r, y, first, count, out_first, out_last);
}
void gradient_inputs_f32(const ConvShape& s, const float* x, const float* dy, float* i, float* g, int64_t first, int64_t at,
                         int64_t chunk) {
    gradient_inputs(s, x, dy, i, g, first, at, chunk);
}
void gradient_inputs_bf16(const ConvShape& s, const uint16_t* x, const uint16_t* dy, float* i, float* g, int64_t first,
                          int64_t at, int64_t chunk) {
    gradient_inputs(s, x, dy, i, g, first, at, chunk);
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(weight_rows);
HWY_EXPORT(convolve_block_f32);
HWY_EXPORT(convolve_block_bf16);
HWY_EXPORT(gradient_inputs_f32);
HWY_EXPORT(gradient_inputs_bf16);
HWY_EXPORT(gradient_products);
HWY_EXPORT(gradient_row);
HWY_EXPORT(gradient_part_f32);
HWY_EXPORT(gradient_part_bf16);

namespace {

size_t padded_positions(int64_t floats) {
    return static_cast<size_t>(36 * (floats + 16));
}

// Blocks of tiles with work for every thread: where tiles are too few to fill a product each, threads share the output channels.
template <class Run, class T>
void convolve(const Run& run, const ConvShape& shape, const T* x, const float* transformed, const float* bias,
              const T* residual, T* y) {
    constexpr int64_t worthwhile = 12, panel = 32;
    const int64_t tiles = shape.tiles(), fitting = 32, threads = thread_count();
    const int64_t block = std::min({fitting, tiles, std::max((tiles + threads - 1) / threads, worthwhile)});
    const int64_t blocks = (tiles + block - 1) / block, panels = shape.out / panel;
    const int64_t parts = std::clamp<int64_t>(threads / blocks, 1, panels);
    parallel_for(blocks * parts, [&](int64_t i) {
        const int64_t first = i / parts * block, part = i % parts;
        run(shape, x, transformed, bias, residual, y, first, std::min(block, tiles - first), part * panels / parts * panel,
            (part + 1) * panels / parts * panel);
    });
}

template <class Transform, class Part, class T>
void weight_gradient(const Transform& transform, const Part& part, const ConvShape& shape, const T* x, const T* dy, float* dweight) {
    const int64_t tiles = shape.tiles(), threads = thread_count();
    if (const ChannelParts parts = channel_parts(shape.out, shape.in, threads); parts.out > 0) {
        const int64_t ins = shape.in / parts.in, outs = shape.out / parts.out;
        // In blocks whose sums and transformed tiles stay near the caches.
        constexpr int64_t tiles_at_a_time = 32, widest = 128;
        const int64_t in_block = ins % widest == 0 ? widest : ins, out_block = outs % widest == 0 ? widest : outs;
        parallel_for(threads, [&](int64_t i) {
            const int64_t in_first = i % parts.in * ins, out_first = i / parts.in * outs;
            for (int64_t o = 0; o < outs; o += out_block)
                for (int64_t c = 0; c < ins; c += in_block)
                    part(shape, x, dy, dweight, {in_first + c, in_block, out_first + o, out_block}, std::min(tiles, tiles_at_a_time));
        });
        return;
    }
    const int64_t chunk = std::min<int64_t>(tiles, 64);
    static thread_local Scratch in_scratch, gradient_scratch, sum_scratch;
    float* inputs = in_scratch.floats(padded_positions(shape.in * chunk));
    float* gradients = gradient_scratch.floats(padded_positions(shape.out * chunk));
    float* sums = sum_scratch.floats(padded_positions(shape.in * shape.out));
    const auto products = HWY_DYNAMIC_DISPATCH(gradient_products);
    const auto weights = HWY_DYNAMIC_DISPATCH(gradient_row);
    const int64_t panels = shape.out / 32;
    for (int64_t first = 0; first < tiles; first += chunk) {
        const int64_t count = std::min(chunk, tiles - first);
        parallel_for(count, [&](int64_t i) { transform(shape, x, dy, inputs, gradients, first, i, chunk); });
        parallel_for(36 * panels, [&](int64_t i) {
            products(shape, inputs, gradients, sums, i / panels, i % panels, count, chunk, first > 0);
        });
    }
    parallel_for(shape.out, [&](int64_t o) { weights(shape, sums, dweight, o); });
}

}  // namespace

bool winograd_suits(const ConvShape& shape, bool weights_kept) {
    const bool filled = 2 * shape.images * shape.height * shape.width >= 16 * shape.tiles();
    return shape.in % 32 == 0 && shape.out % 32 == 0 && filled && shape.tiles() >= (weights_kept ? 4 : 8);
}

bool winograd_suits_weight_gradient(const ConvShape& shape) {
    return winograd_suits(shape, false) && shape.tiles() >= 32;
}

size_t winograd_weight_size(const ConvShape& shape) {
    return padded_positions(shape.in * shape.out);
}

void winograd_transform_weight(const ConvShape& shape, const float* weight, bool transpose, float* transformed) {
    const auto run = HWY_DYNAMIC_DISPATCH(weight_rows);
    parallel_for(shape.in, [&](int64_t i) { run(shape, weight, transpose, transformed, i); });
}

template <>
void winograd_convolve(const ConvShape& shape, const float* x, const float* transformed, const float* bias,
                       const float* residual, float* y) {
    convolve(HWY_DYNAMIC_DISPATCH(convolve_block_f32), shape, x, transformed, bias, residual, y);
}

template <>
void winograd_convolve(const ConvShape& shape, const uint16_t* x, const float* transformed, const float* bias,
                       const uint16_t* residual, uint16_t* y) {
    convolve(HWY_DYNAMIC_DISPATCH(convolve_block_bf16), shape, x, transformed, bias, residual, y);
}

template <>
void winograd_weight_gradient(const ConvShape& shape, const float* x, const float* dy, float* dweight) {
    weight_gradient(HWY_DYNAMIC_DISPATCH(gradient_inputs_f32), HWY_DYNAMIC_DISPATCH(gradient_part_f32), shape, x, dy, dweight);
}

template <>
void winograd_weight_gradient(const ConvShape& shape, const uint16_t* x, const uint16_t* dy, float* dweight) {
    weight_gradient(HWY_DYNAMIC_DISPATCH(gradient_inputs_bf16), HWY_DYNAMIC_DISPATCH(gradient_part_bf16), shape, x, dy, dweight);
}

}  // namespace ddpm
#endif
