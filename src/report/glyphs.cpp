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

#include "ddpm/report/canvas.h"
#include "font.h"

namespace ddpm {

namespace {

const stbtt_fontinfo& font() {
    static const stbtt_fontinfo info = [] {
        stbtt_fontinfo loaded;
        stbtt_InitFont(&loaded, detail::kFont, 0);
        return loaded;
    }();
    return info;
}

double scale_of(double size) { return stbtt_ScaleForPixelHeight(&font(), static_cast<float>(size)); }

// The next code point, removed from the text; a byte that begins none is U+FFFD.
int take_code_point(std::string_view& utf8) {
    const auto byte = [&](size_t i) { return i < utf8.size() ? static_cast<unsigned char>(utf8[i]) : 0u; };
    const unsigned first = byte(0);
    const size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    unsigned code = length < 2 ? first : first & (0x7Fu >> length);
    bool valid = length > 0;
    for (size_t i = 1; i < length; ++i) {
        valid = valid && byte(i) >> 6 == 2;
        code = code << 6 | (byte(i) & 0x3F);
    }
    utf8.remove_prefix(valid ? length : 1);
    return valid ? static_cast<int>(code) : 0xFFFD;
}

double advance_of(int glyph) {
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(&font(), glyph, &advance, &bearing);
    return advance;
}

}  // namespace

double text_width(std::string_view utf8, double size) {
    double units = 0;
    while (!utf8.empty()) units += advance_of(stbtt_FindGlyphIndex(&font(), take_code_point(utf8)));
    return units * scale_of(size);
}

void detail::rasterise(std::string_view utf8, double size, double pen, const std::function<void(int, int, double)>& plot) {
    const double scale = scale_of(size);
    const auto scale_f = static_cast<float>(scale);
    std::vector<unsigned char> bitmap;
    while (!utf8.empty()) {
        const int glyph = stbtt_FindGlyphIndex(&font(), take_code_point(utf8));
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
