#pragma once

#include <string_view>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm {

struct Color {
    uint8_t red = 0, green = 0, blue = 0;
};

constexpr Color kBlack = {0, 0, 0}, kWhite = {255, 255, 255};

// A point in pixels from the canvas's top left corner; y points down.
struct CanvasPoint {
    double x = 0, y = 0;
};

// A rectangle of whole pixels. Pixel (i, j) covers [i, i+1) × [j, j+1); y points down.
struct Box {
    int left = 0, top = 0, width = 0, height = 0;

    int right() const { return left + width; }
    int bottom() const { return top + height; }
};

enum class Align { left, centre, right };

// An RGB picture to draw on, with anti-aliased lines and text. Drawing outside of it has no effect. Opacity is 0 … 1.
class Canvas {
public:
    Canvas(int width, int height, Color background = kWhite);

    // Until the next call of clip or unclip, nothing is drawn outside `box`.
    void clip(const Box& box);
    void unclip();

    void fill(const Box& box, Color color, double opacity = 1);
    // Draws a line through the points, `width` pixels wide, round at joints and ends. Where a transparent line crosses itself
    // it is no darker. A single point is a dot.
    void line(const std::vector<CanvasPoint>& points, double width, Color color, double opacity = 1);
    // Draws text of `size` pixels (see text_width). `at` lies on the baseline, at the text's left end, centre or right end as
    // `align` says. With `upwards` the text runs from bottom to top and the baseline is vertical, at at.x.
    void text(CanvasPoint at, std::string_view utf8, double size, Color color = kBlack, Align align = Align::left,
              bool upwards = false);
    // Copies an image of 1 to 4 channels, its top left corner at (left, top). Alpha is composited over white.
    void picture(int left, int top, const Image& image);

    const Image& image() const { return image_; }

private:
    void blend(int x, int y, Color color, double coverage);

    Image image_;
    Box clip_;
    std::vector<float> mask_;
};

// Returns the advance width in pixels. `size` is the height of ascender and descender together, in pixels; capitals are 0.63
// of it high.
double text_width(std::string_view utf8, double size);

}  // namespace ddpm
