// stb_truetype, compiled here and nowhere else, over the embedded font.

#include "glyphs.h"

#include <cmath>
#include <vector>

#define STBTT_STATIC
#define STB_TRUETYPE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_truetype.h>
#pragma GCC diagnostic pop

#include "ddpm/core/text.h"
#include "ddpm/report/canvas.h"
#include "font.h"

namespace ddpm {

namespace {

const stbtt_fontinfo& font() {
    static const stbtt_fontinfo info = [] {
        stbtt_fontinfo loaded;
        stbtt_InitFont(&loaded, report::kFont, 0);
        return loaded;
    }();
    return info;
}

double scale_of(double size) { return stbtt_ScaleForPixelHeight(&font(), static_cast<float>(size)); }

// The glyph of the next character, which is removed from the text.
int take_glyph(std::string_view& utf8) {
    const Utf8Character next = first_character(utf8);
    utf8.remove_prefix(next.length);
    return stbtt_FindGlyphIndex(&font(), static_cast<int>(next.code));
}

double advance_of(int glyph) {
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(&font(), glyph, &advance, &bearing);
    return advance;
}

}  // namespace

double text_width(std::string_view utf8, double size) {
    double units = 0;
    while (!utf8.empty()) units += advance_of(take_glyph(utf8));
    return units * scale_of(size);
}

void report::rasterise(std::string_view utf8, double size, double pen, const std::function<void(int, int, double)>& plot) {
    const double scale = scale_of(size);
    const auto scale_f = static_cast<float>(scale);
    std::vector<unsigned char> bitmap;
    while (!utf8.empty()) {
        const int glyph = take_glyph(utf8);
        const double whole = std::floor(pen);
        const auto fraction = static_cast<float>(pen - whole);
        int x0, y0, x1, y1;
        stbtt_GetGlyphBitmapBoxSubpixel(&font(), glyph, scale_f, scale_f, fraction, 0, &x0, &y0, &x1, &y1);
        const int width = x1 - x0, height = y1 - y0;
        if (width > 0 && height > 0) {
            bitmap.assign(static_cast<size_t>(width) * height, 0);
            stbtt_MakeGlyphBitmapSubpixel(&font(), bitmap.data(), width, height, width, scale_f, scale_f, fraction, 0, glyph);
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x)
                    if (const unsigned char coverage = bitmap[static_cast<size_t>(y) * width + x])
                        plot(static_cast<int>(whole) + x0 + x, y0 + y, coverage / 255.0);
        }
        pen += advance_of(glyph) * scale;
    }
}

}  // namespace ddpm
