#include "kernels/winograd.h"

#include <algorithm>
#include <type_traits>

#include "kernels/channel_parts.h"
#include "kernels/parallel.h"
#include "kernels/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/winograd.cpp"
#include <hwy/foreach_target.h>

#include "kernels/gemm-inl.h"
#include "kernels/winograd-inl.h"

#ifndef DDPM_KERNELS_CHANNEL_PART
#define DDPM_KERNELS_CHANNEL_PART
namespace ddpm::kernels {

struct ChannelPart {
    int64_t in_first, in_count, out_first, out_count;  // multiples of 32
};

}  // namespace ddpm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

// Transposes: out[k][lane] = rows[lane · stride + k] for k < count, four by four, the rest one by one.
HWY_INLINE void transpose_rows(const float* rows, int64_t stride, int64_t count, float* out) {
    int64_t whole = 0;
#if HWY_TARGET != HWY_SCALAR
    whole = count / 4 * 4;
    const hn::Full128<float> d;
    const hn::Full128<double> pairs;
    for (int64_t lane = 0; lane < kWidth; lane += 4)
        for (int64_t k = 0; k < whole; k += 4) {
            const float* r = rows + lane * stride + k;
            const auto r0 = hn::LoadU(d, r), r1 = hn::LoadU(d, r + stride), r2 = hn::LoadU(d, r + 2 * stride),
                       r3 = hn::LoadU(d, r + 3 * stride);
            const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1)),
                       low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
            const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1)),
                       high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
            float* to = out + k * kWidth + lane;
            hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
            hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + kWidth);
            hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * kWidth);
            hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * kWidth);
        }
#endif
    for (int64_t lane = 0; lane < kWidth; ++lane)
        for (int64_t k = whole; k < count; ++k) out[k * kWidth + lane] = rows[lane * stride + k];
}

// Transforms the weights from the input channels in_first … in_last − 1, multiples of kPanel, to the output channels
// out_first … out_first + 31. weight: [out, in, 9], or with `transpose` channels exchanged and the nine turned by 180°.
// transformed: [36][32 / kColumns][in][kColumns], the positions `spacing` apart.
void weight_panel(const ConvShape& shape, const float* weight, bool transpose, float* transformed, int64_t spacing,
                  int64_t out_first, int64_t in_first, int64_t in_last) {
    constexpr int64_t some = 8;  // input channels at a time, so that narrow stores are done before wide loads read them
    HWY_ALIGN float taps[some * 9 * kLanes];
    const int64_t from_out = transpose ? 9 : 9 * shape.in, from_in = transpose ? 9 * shape.out : 9;
    for (int64_t first = in_first; first < in_last; first += some)
        for (int64_t o = 0; o < kPanel; o += kWidth) {
            const float* from = weight + (out_first + o) * from_out + first * from_in;
            if (transpose)
                for (int64_t i = 0; i < some; ++i) transpose_rows(from + i * from_in, from_out, 9, taps + i * 9 * kWidth);
            else
                transpose_rows(from, from_out, some * 9, taps);
            const auto tap = [&](int64_t i, int64_t r, int64_t s) {
                return load(taps + (i * 9 + (transpose ? 8 - (r * 3 + s) : r * 3 + s)) * kWidth);
            };
            for (int64_t i = 0; i < some; ++i) {
                V rows[6][3];
                for (int s = 0; s < 3; ++s) {
                    V q[6];
                    transform_weight(tap(i, 0, s), tap(i, 1, s), tap(i, 2, s), q);
                    for (int r = 0; r < 6; ++r) rows[r][s] = q[r];
                }
                float* out = transformed + (o / kColumns * shape.in + first + i) * kColumns + o % kColumns;
                for (int r = 0; r < 6; ++r) {
                    V q[6];
                    transform_weight(rows[r][0], rows[r][1], rows[r][2], q);
                    for (int s = 0; s < 6; ++s) store(q[s], out + (r * 6 + s) * spacing);
                }
            }
        }
}

// Transforms `channels` channels of x, from channel `from` on, of tile i among `capacity` into
// [36][channels / 32][capacity][32].
template <class T>
HWY_INLINE void tile_inputs(const ConvShape& shape, const T* x, const Tile& tile, int64_t from, int64_t channels, float* inputs,
                            int64_t i, int64_t capacity, int64_t spacing) {
    const T* image = x + tile.image * shape.height * shape.width * shape.in + from;
    for (int64_t c = 0; c < channels; c += kWidth)
        input_tile(shape, image + c, tile, inputs + (c / kPanel * capacity + i) * kPanel + c % kPanel, spacing);
}

// Does the same for dy.
template <class T>
HWY_INLINE void tile_gradients(const ConvShape& shape, const T* dy, const Tile& tile, int64_t from, int64_t channels,
                               float* gradients, int64_t i, int64_t capacity, int64_t spacing) {
    const T* image = dy + tile.image * shape.height * shape.width * shape.out + from;
    for (int64_t c = 0; c < channels; c += kWidth)
        gradient_tile(shape, image + c, tile, gradients + (c / kPanel * capacity + i) * kPanel + c % kPanel, spacing);
}

// Transforms the channels in_first … in_last − 1 of the tiles first … first + count − 1 into [36][in / 32][count][32],
// positions padded.
template <class T>
void block_inputs(const ConvShape& shape, const T* x, int64_t first, int64_t count, int64_t in_first, int64_t in_last,
                  float* inputs) {
    for (int64_t i = 0; i < count; ++i)
        tile_inputs(shape, x, tile_at(shape, first + i), in_first, in_last - in_first, inputs + in_first * count, i, count,
                    padded(shape.in * count));
}

// Computes y of the tiles first … first + count − 1 and the output channels out_first … out_last − 1, multiples of kPanel.
// `weights` are those of the output channels, transformed. products: scratch, [36] of count · (out_last − out_first) floats,
// each padded.
template <class T>
void block_outputs(const ConvShape& shape, const float* inputs, const float* weights, int64_t weight_spacing, const float* bias,
                   const T* residual, T* y, int64_t first, int64_t count, int64_t out_first, int64_t out_last, float* products) {
    const int64_t outs = out_last - out_first, in_spacing = padded(shape.in * count), out_spacing = padded(count * outs);
    // The tiles of a position stay in the first caches while its weights are read, once for the block: most of what has to
    // be read are weights.
    for (int64_t p = 0; p < kPositions; ++p)
        for (int64_t o = 0; o < outs; o += kColumns)
            product(inputs + p * in_spacing, count * kPanel, weights + p * weight_spacing + o * shape.in, shape.in,
                    products + p * out_spacing + o * count, count);
    for (int64_t o = 0; o < outs; o += kWidth) {
        const V b = bias ? load(bias + out_first + o) : zero();
        for (int64_t i = 0; i < count; ++i) {
            const Tile tile = tile_at(shape, first + i);
            const int64_t at = tile.image * shape.height * shape.width * shape.out + out_first + o;
            output_tile(shape, products + (o / kColumns * count + i) * kColumns + o % kColumns, out_spacing, tile, b,
                        residual ? residual + at : nullptr, y + at);
        }
    }
}

// Convolves a block of tiles from its pixels, with all weights in `transformed`. scratch: the inputs of the tiles, then their
// products.
template <class T>
void convolve_block(const ConvShape& shape, const T* x, const float* transformed, const float* bias, const T* residual, T* y,
                    int64_t first, int64_t count, int64_t out_first, int64_t out_last, float* scratch) {
    float* inputs = scratch;
    block_inputs(shape, x, first, count, 0, shape.in, inputs);
    block_outputs(shape, inputs, transformed + out_first * shape.in, padded(shape.in * shape.out), bias, residual, y, first, count,
                  out_first, out_last, scratch + kPositions * padded(shape.in * count));
}

// Convolves all blocks from their transformed inputs for 32 output channels, whose weights it transforms first. scratch: those
// weights, then the products of a block.
template <class T>
void convolve_panel(const ConvShape& shape, const float* inputs, const float* weight, bool transpose, const float* bias,
                    const T* residual, T* y, int64_t block, int64_t out_first, float* scratch) {
    const int64_t spacing = padded(shape.in * kPanel);
    float *transformed = scratch, *products = scratch + kPositions * spacing;
    weight_panel(shape, weight, transpose, transformed, spacing, out_first, 0, shape.in);
    for (int64_t first = 0; first < shape.tiles(); first += block) {
        const int64_t count = std::min(block, shape.tiles() - first);
        block_outputs(shape, inputs, transformed, spacing, bias, residual, y, first, count, out_first, out_first + kPanel,
                      products);
        inputs += kPositions * padded(shape.in * count);
    }
}

// Transforms tile i of the chunk that begins at tile `first`: x into [36][in / 32][chunk][32], dy into
// [36][out / 32][chunk][32].
template <class T>
void gradient_inputs(const ConvShape& shape, const T* x, const T* dy, float* inputs, float* gradients, int64_t first, int64_t i,
                     int64_t chunk) {
    const Tile tile = tile_at(shape, first + i);
    tile_inputs(shape, x, tile, 0, shape.in, inputs, i, chunk, padded(shape.in * chunk));
    tile_gradients(shape, dy, tile, 0, shape.out, gradients, i, chunk, padded(shape.out * chunk));
}

// Computes dy · x of `count` tiles at one position, for 32 of the output channels, into sums [36][out][in]. With `add` it is
// added to them.
void gradient_products(const ConvShape& shape, const float* inputs, const float* gradients, float* sums, int64_t position,
                       int64_t out_panel, int64_t count, int64_t chunk, bool add) {
    const float* dy = gradients + position * padded(shape.out * chunk) + out_panel * chunk * kPanel;
    const float* x = inputs + position * padded(shape.in * chunk);
    float* c = sums + position * padded(shape.in * shape.out) + out_panel * kPanel * shape.in;
    outer(dy, chunk * kPanel, x, chunk * kPanel, count, c, kPanel, shape.in, shape.in, add);
}

// Transforms the sums [36][·][columns] of one output channel (`row`) and `columns` input channels into the gradient of their
// weights, [columns][9].
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
            for (const auto& tap : taps) *out++ = tap[lane];
    }
}

// Computes all of the gradient for the channels of `part` on one thread with memory of its own. scratch holds the transformed
// tiles of x and of dy, and the sums.
template <class T>
void gradient_part(const ConvShape& shape, const T* x, const T* dy, float* dweight, const ChannelPart& part, int64_t chunk,
                   float* scratch) {
    const int64_t tiles = shape.tiles(), ins = part.in_count, outs = part.out_count;
    const int64_t in_spacing = padded(ins * chunk), out_spacing = padded(outs * chunk), spacing = padded(ins * outs);
    float *inputs = scratch, *gradients = inputs + kPositions * in_spacing, *sums = gradients + kPositions * out_spacing;
    for (int64_t first = 0; first < tiles; first += chunk) {
        const int64_t count = std::min(chunk, tiles - first);
        for (int64_t i = 0; i < count; ++i) {
            const Tile tile = tile_at(shape, first + i);
            tile_inputs(shape, x, tile, part.in_first, ins, inputs, i, chunk, in_spacing);
            tile_gradients(shape, dy, tile, part.out_first, outs, gradients, i, chunk, out_spacing);
        }
        for (int64_t p = 0; p < kPositions; ++p)
            for (int64_t o = 0; o < outs; o += kPanel)
                outer(gradients + p * out_spacing + o * chunk, chunk * kPanel, inputs + p * in_spacing, chunk * kPanel, count,
                      sums + p * spacing + o * ins, kPanel, ins, ins, first > 0);
    }
    for (int64_t o = 0; o < outs; ++o)
        gradient_weights(sums, spacing, o, ins, dweight + ((part.out_first + o) * shape.in + part.in_first) * 9);
}

// Computes the gradient of the weights of output channel o from the sums of all channels.
void gradient_row(const ConvShape& shape, const float* sums, float* dweight, int64_t o) {
    gradient_weights(sums, padded(shape.in * shape.out), o, shape.in, dweight + o * shape.in * 9);
}

// Highway exports no templates, so each has a function for float and one for bfloat16.
void block_inputs_f32(const ConvShape& s, const float* x, int64_t first, int64_t count, int64_t in_first, int64_t in_last,
                      float* inputs) {
    block_inputs(s, x, first, count, in_first, in_last, inputs);
}
void block_inputs_bf16(const ConvShape& s, const uint16_t* x, int64_t first, int64_t count, int64_t in_first, int64_t in_last,
                       float* inputs) {
    block_inputs(s, x, first, count, in_first, in_last, inputs);
}
void convolve_block_f32(const ConvShape& s, const float* x, const float* t, const float* b, const float* r, float* y, int64_t first,
                        int64_t count, int64_t out_first, int64_t out_last, float* scratch) {
    convolve_block(s, x, t, b, r, y, first, count, out_first, out_last, scratch);
}
void convolve_block_bf16(const ConvShape& s, const uint16_t* x, const float* t, const float* b, const uint16_t* r, uint16_t* y,
                         int64_t first, int64_t count, int64_t out_first, int64_t out_last, float* scratch) {
    convolve_block(s, x, t, b, r, y, first, count, out_first, out_last, scratch);
}
void convolve_panel_f32(const ConvShape& s, const float* inputs, const float* w, bool transpose, const float* b, const float* r,
                        float* y, int64_t block, int64_t out_first, float* scratch) {
    convolve_panel(s, inputs, w, transpose, b, r, y, block, out_first, scratch);
}
void convolve_panel_bf16(const ConvShape& s, const float* inputs, const float* w, bool transpose, const float* b, const uint16_t* r,
                         uint16_t* y, int64_t block, int64_t out_first, float* scratch) {
    convolve_panel(s, inputs, w, transpose, b, r, y, block, out_first, scratch);
}
void gradient_inputs_f32(const ConvShape& s, const float* x, const float* dy, float* i, float* g, int64_t first, int64_t at,
                         int64_t chunk) {
    gradient_inputs(s, x, dy, i, g, first, at, chunk);
}
void gradient_inputs_bf16(const ConvShape& s, const uint16_t* x, const uint16_t* dy, float* i, float* g, int64_t first, int64_t at,
                          int64_t chunk) {
    gradient_inputs(s, x, dy, i, g, first, at, chunk);
}
void gradient_part_f32(const ConvShape& s, const float* x, const float* dy, float* w, const ChannelPart& part, int64_t chunk,
                       float* scratch) {
    gradient_part(s, x, dy, w, part, chunk, scratch);
}
void gradient_part_bf16(const ConvShape& s, const uint16_t* x, const uint16_t* dy, float* w, const ChannelPart& part, int64_t chunk,
                        float* scratch) {
    gradient_part(s, x, dy, w, part, chunk, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::kernels {

HWY_EXPORT(weight_panel);
HWY_EXPORT(block_inputs_f32);
HWY_EXPORT(block_inputs_bf16);
HWY_EXPORT(convolve_block_f32);
HWY_EXPORT(convolve_block_bf16);
HWY_EXPORT(convolve_panel_f32);
HWY_EXPORT(convolve_panel_bf16);
HWY_EXPORT(gradient_inputs_f32);
HWY_EXPORT(gradient_inputs_bf16);
HWY_EXPORT(gradient_products);
HWY_EXPORT(gradient_row);
HWY_EXPORT(gradient_part_f32);
HWY_EXPORT(gradient_part_bf16);

namespace {

constexpr int64_t kChannels = 32;  // of a panel

// Returns the function for images of type T.
template <class T, class Float, class Bf16>
auto* of_type(Float* over_float, Bf16* over_bf16) {
    if constexpr (std::is_same_v<T, float>)
        return over_float;
    else
        return over_bf16;
}

// Returns the floats that all 36 positions take, each padded.
int64_t positions(int64_t floats) { return 36 * (floats + 16); }

constexpr int64_t kBlock = 32;  // tiles of a block: so few that their numbers stay near the caches

// Whether to transform the inputs of all tiles first, and then to go by panels of output channels, each of which transforms its
// own weights and uses them while they are in the cache. That moves less memory if there are no more tiles than output
// channels, and needs a panel for each thread.
bool goes_by_panels(const ConvShape& shape) { return shape.tiles() <= shape.out && shape.out / kChannels >= thread_count(); }

template <class T>
void convolve_by_panels(const ConvShape& shape, const T* x, const float* weight, bool transpose, const float* bias,
                        const T* residual, T* y) {
    const auto transform = of_type<T>(&HWY_DYNAMIC_DISPATCH(block_inputs_f32), &HWY_DYNAMIC_DISPATCH(block_inputs_bf16));
    const auto panel = of_type<T>(&HWY_DYNAMIC_DISPATCH(convolve_panel_f32), &HWY_DYNAMIC_DISPATCH(convolve_panel_bf16));
    const int64_t tiles = shape.tiles(), panels = shape.in / kChannels, blocks = (tiles + kBlock - 1) / kBlock;
    const Scratch of_all_tiles(blocks * positions(shape.in * kBlock));
    float* inputs = of_all_tiles.floats();
    parallel_for(blocks * panels, [&](int64_t i) {
        const int64_t block = i / panels, c = i % panels * kChannels;
        transform(shape, x, block * kBlock, std::min(kBlock, tiles - block * kBlock), c, c + kChannels,
                  inputs + block * positions(shape.in * kBlock));
    });
    parallel_for(shape.out / kChannels, positions(shape.in * kChannels) + positions(kBlock * kChannels),
                 [&](int64_t i, float* scratch) {
                     panel(shape, inputs, weight, transpose, bias, residual, y, kBlock, i * kChannels, scratch);
                 });
}

// Divides the tiles into blocks, with work for every thread. If there are too few tiles for blocks of a useful size, several
// threads share a block and divide its output channels.
template <class T>
void convolve_by_tiles(const ConvShape& shape, const T* x, const float* weight, bool transpose, const float* bias,
                       const T* residual, T* y) {
    const auto transform = HWY_DYNAMIC_DISPATCH(weight_panel);
    const auto run = of_type<T>(&HWY_DYNAMIC_DISPATCH(convolve_block_f32), &HWY_DYNAMIC_DISPATCH(convolve_block_bf16));
    const int64_t ins = shape.in / kChannels, panels = shape.out / kChannels;
    const Scratch of_weights(positions(shape.in * shape.out));
    float* transformed = of_weights.floats();
    parallel_for(panels * ins, [&](int64_t i) {
        const int64_t o = i / ins * kChannels, c = i % ins * kChannels;
        transform(shape, weight, transpose, transformed + o * shape.in, positions(shape.in * shape.out) / 36, o, c, c + kChannels);
    });
    constexpr int64_t worthwhile = 12;
    const int64_t tiles = shape.tiles(), threads = thread_count();
    const int64_t block = std::min({kBlock, tiles, std::max((tiles + threads - 1) / threads, worthwhile)});
    const int64_t blocks = (tiles + block - 1) / block;
    const int64_t parts = std::clamp<int64_t>(threads / blocks, 1, panels);
    const int64_t widest = (panels + parts - 1) / parts * kChannels;
    parallel_for(blocks * parts, positions(shape.in * block) + positions(widest * block), [&](int64_t i, float* scratch) {
        const int64_t first = i / parts * block, part = i % parts;
        run(shape, x, transformed, bias, residual, y, first, std::min(block, tiles - first), part * panels / parts * kChannels,
            (part + 1) * panels / parts * kChannels, scratch);
    });
}

}  // namespace

bool winograd_suits(const ConvShape& shape) {
    const bool filled = 2 * shape.images * shape.height * shape.width >= 16 * shape.tiles();
    return shape.in % kChannels == 0 && shape.out % kChannels == 0 && filled;
}

template <class T>
void winograd_convolve(const ConvShape& shape, const T* x, const float* weight, bool transpose, const float* bias,
                       const T* residual, T* y) {
    const auto run = goes_by_panels(shape) ? convolve_by_panels<T> : convolve_by_tiles<T>;
    run(shape, x, weight, transpose, bias, residual, y);
}

template <class T>
void winograd_weight_gradient(const ConvShape& shape, const T* x, const T* dy, float* dweight) {
    const int64_t tiles = shape.tiles(), threads = thread_count();
    if (const ChannelParts parts = channel_parts(shape.out, shape.in, threads); parts.out > 0) {
        const auto run = of_type<T>(&HWY_DYNAMIC_DISPATCH(gradient_part_f32), &HWY_DYNAMIC_DISPATCH(gradient_part_bf16));
        const int64_t ins = shape.in / parts.in, outs = shape.out / parts.out;
        // Each part is done in blocks of channels whose sums and transformed tiles stay near the caches.
        constexpr int64_t widest = 128;
        const int64_t in_block = ins % widest == 0 ? widest : ins, out_block = outs % widest == 0 ? widest : outs;
        const int64_t chunk = std::min(tiles, kBlock);
        const int64_t floats = positions(in_block * chunk) + positions(out_block * chunk) + positions(in_block * out_block);
        parallel_for(threads, floats, [&](int64_t i, float* scratch) {
            const int64_t in_first = i % parts.in * ins, out_first = i / parts.in * outs;
            for (int64_t o = 0; o < outs; o += out_block)
                for (int64_t c = 0; c < ins; c += in_block)
                    run(shape, x, dy, dweight, {in_first + c, in_block, out_first + o, out_block}, chunk, scratch);
        });
        return;
    }
    const int64_t chunk = std::min<int64_t>(tiles, 64);
    const int64_t of_x = positions(shape.in * chunk), of_dy = positions(shape.out * chunk);
    const Scratch scratch(of_x + of_dy + positions(shape.in * shape.out));
    float *inputs = scratch.floats(), *gradients = inputs + of_x, *sums = gradients + of_dy;
    const auto transform = of_type<T>(&HWY_DYNAMIC_DISPATCH(gradient_inputs_f32), &HWY_DYNAMIC_DISPATCH(gradient_inputs_bf16));
    const auto products = HWY_DYNAMIC_DISPATCH(gradient_products);
    const auto weights = HWY_DYNAMIC_DISPATCH(gradient_row);
    const int64_t panels = shape.out / kChannels;
    for (int64_t first = 0; first < tiles; first += chunk) {
        const int64_t count = std::min(chunk, tiles - first);
        parallel_for(count, [&](int64_t i) { transform(shape, x, dy, inputs, gradients, first, i, chunk); });
        parallel_for(36 * panels,
                     [&](int64_t i) { products(shape, inputs, gradients, sums, i / panels, i % panels, count, chunk, first > 0); });
    }
    parallel_for(shape.out, [&](int64_t o) { weights(shape, sums, dweight, o); });
}

template void winograd_convolve(const ConvShape&, const float*, const float*, bool, const float*, const float*, float*);
template void winograd_convolve(const ConvShape&, const uint16_t*, const float*, bool, const float*, const uint16_t*, uint16_t*);
template void winograd_weight_gradient(const ConvShape&, const float*, const float*, float*);
template void winograd_weight_gradient(const ConvShape&, const uint16_t*, const uint16_t*, float*);

}  // namespace ddpm::kernels
#endif
