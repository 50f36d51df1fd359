// This is Pillow's resampling (src/libImaging/Resample.c) for 8-bit pixels, with the same weights in the same fixed
// point, the horizontal pass first and 8 bits in between.

#include <algorithm>
#include <cmath>
#include <cstring>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/image/transform.h"

namespace ddpm {

namespace {

constexpr int kFractionBits = 32 - 8 - 2;  // leaves room for 8 bits of pixel and the overshoot of negative weights

// Keys' cubic convolution with a = −0.5.
double bicubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

// The source pixels first … first + count − 1 that make one target pixel, and their weights in fixed point.
struct Taps {
    int first, count;
    size_t weights;  // where they begin in Axis::weights
};

struct Axis {
    std::vector<Taps> taps;
    std::vector<int32_t> weights;
};

Axis make_axis(int from, int to) {
    const double scale = static_cast<double>(from) / to;
    const double filter_scale = std::max(scale, 1.0);
    const double support = 2.0 * filter_scale;
    Axis axis;
    axis.taps.reserve(to);
    std::vector<double> weights;
    for (int i = 0; i < to; ++i) {
        const double centre = (i + 0.5) * scale;
        const int first = std::max(static_cast<int>(std::floor(centre - support + 0.5)), 0);
        const int last = std::min(static_cast<int>(std::floor(centre + support + 0.5)), from);
        weights.clear();
        double sum = 0;
        for (int x = first; x < last; ++x) {
            weights.push_back(bicubic((x - centre + 0.5) * (1.0 / filter_scale)));
            sum += weights.back();
        }
        axis.taps.push_back({first, last - first, axis.weights.size()});
        for (double weight : weights) {
            const double normalised = sum != 0 ? weight / sum : weight;
            axis.weights.push_back(static_cast<int32_t>((normalised < 0 ? -0.5 : 0.5) + normalised * (1 << kFractionBits)));
        }
    }
    return axis;
}

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

constexpr int32_t kHalf = 1 << (kFractionBits - 1);

template <int C>
void resize_row(const Axis& axis, const uint8_t* from, uint8_t* to) {
    for (const Taps& taps : axis.taps) {
        const int32_t* weights = &axis.weights[taps.weights];
        const uint8_t* pixel = from + taps.first * C;
        int32_t sums[C];
        std::fill(sums, sums + C, kHalf);
        for (int k = 0; k < taps.count; ++k, pixel += C)
            for (int c = 0; c < C; ++c) sums[c] += pixel[c] * weights[k];
        for (int c = 0; c < C; ++c) *to++ = to_byte(sums[c]);
    }
}

Image resize_width(const Image& image, int width) {
    constexpr void (*rows[])(const Axis&, const uint8_t*, uint8_t*) = {resize_row<1>, resize_row<2>, resize_row<3>, resize_row<4>};
    const Axis axis = make_axis(image.width, width);
    Image out = make_image(width, image.height, image.channels);
    for (int y = 0; y < image.height; ++y) rows[image.channels - 1](axis, image.at(0, y), out.at(0, y));
    return out;
}

Image resize_height(const Image& image, int height) {
    const Axis axis = make_axis(image.height, height);
    Image out = make_image(image.width, height, image.channels);
    std::vector<int32_t> sums(image.stride());
    for (int y = 0; y < height; ++y) {
        const Taps& taps = axis.taps[y];
        std::fill(sums.begin(), sums.end(), kHalf);
        for (int k = 0; k < taps.count; ++k) {
            const int32_t weight = axis.weights[taps.weights + k];
            const uint8_t* from = image.at(0, taps.first + k);
            for (size_t i = 0; i < sums.size(); ++i) sums[i] += from[i] * weight;
        }
        std::transform(sums.begin(), sums.end(), out.at(0, y), to_byte);
    }
    return out;
}

void multiply_by_alpha(Image& image) {
    const int colours = image.channels - 1;
    for (uint8_t* p = image.pixels.data(); p != image.pixels.data() + image.pixels.size(); p += image.channels) {
        for (int c = 0; c < colours; ++c) {
            const unsigned product = p[c] * p[colours] + 128u;
            p[c] = static_cast<uint8_t>((product + (product >> 8)) >> 8);  // product / 255, rounded
        }
    }
}

void divide_by_alpha(Image& image) {
    const int colours = image.channels - 1;
    for (uint8_t* p = image.pixels.data(); p != image.pixels.data() + image.pixels.size(); p += image.channels) {
        const int alpha = p[colours];
        if (alpha == 0 || alpha == 255) continue;
        for (int c = 0; c < colours; ++c) p[c] = static_cast<uint8_t>(std::min(255 * p[c] / alpha, 255));
    }
}

}  // namespace

Image resize(const Image& image, int width, int height) {
    if (width < 1 || height < 1 || image.pixels.empty())
        runtime_failure(fmt::format("resize: {}x{} to {}x{}, expected sizes ≥ 1", image.width, image.height, width, height));
    if (image.width == width && image.height == height) return image;
    const bool has_alpha = image.channels == 2 || image.channels == 4;
    Image out;
    if (has_alpha) {
        out = image;
        multiply_by_alpha(out);
    }
    const Image& from = has_alpha ? out : image;
    out = from.width != width ? resize_width(from, width) : from;
    if (out.height != height) out = resize_height(out, height);
    if (has_alpha) divide_by_alpha(out);
    return out;
}

}  // namespace ddpm
