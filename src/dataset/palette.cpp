#include "dataset/palette.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ddpm::dataset {

namespace {

std::array<double, 3> oklab_to_linear(double lightness, double a, double b) {
    const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

bool in_gamut(const std::array<double, 3>& linear) {
    return std::all_of(linear.begin(), linear.end(), [](double value) { return value >= -1e-4 && value <= 1.0001; });
}

double encode_srgb(double linear) {
    linear = std::clamp(linear, 0.0, 1.0);
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
}

}  // namespace

Rgb oklch(double lightness, double chroma, double hue) {
    const double angle = 2 * std::numbers::pi * hue;
    const double a = std::cos(angle), b = std::sin(angle);
    std::array<double, 3> linear = oklab_to_linear(lightness, chroma * a, chroma * b);
    for (; !in_gamut(linear) && chroma > 0.001; linear = oklab_to_linear(lightness, chroma * a, chroma * b)) chroma *= 0.95;
    Rgb color;
    for (size_t i = 0; i < 3; ++i) color[i] = static_cast<float>(255 * encode_srgb(linear[i]));
    return color;
}

Palette draw_palette(RandomStream& random) {
    const double hue = random.uniform();
    // The background's hue is near the complement, so that shape and background differ in hue as well as in lightness.
    const double background = hue + random.uniform(0.35, 0.65);
    const double fade = random.coin() ? 0.07 : -0.07;
    if (random.coin(0.25)) return {oklch(0.80, 0.16, hue), oklch(0.38, 0.09, background), oklch(0.27, 0.08, background + fade)};
    // Yellow is made lighter: at the lightness of the other hues it looks brown.
    constexpr double yellow = 0.26;
    const double glow = std::max(std::cos(2 * std::numbers::pi * (hue - yellow)), 0.0);
    return {oklch(0.63 + 0.14 * glow * glow, 0.21, hue), oklch(0.96, 0.03, background), oklch(0.86, 0.075, background + fade)};
}

}  // namespace ddpm::dataset
