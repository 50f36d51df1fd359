#pragma once

#include <string_view>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm {

struct Color {
    uint8_t red = 0, green = 0, blue = 0;
};

constexpr Color kBlack = {0, 0, 0}, kWhite = {255, 255, 255};

// In pixels, from the canvas's top left corner.
struct CanvasPoint {
    double x = 0, y = 0;
};

// Pixel (i, j) covers [i, i+1) × [j, j+1); y points down.
struct Box {
    int left = 0, top = 0, width = 0, height = 0;

    int right() const { return left + width; }
    int bottom() const { return top + height; }
};

enum class Align { left, centre, right };

// An RGB picture to draw on, with anti-aliased lines and text. What lies outside is cut off.
class Canvas {
public:
    Canvas(int width, int height, Color background = kWhite);

    // Until the next call, nothing is drawn outside this part.
    void clip(const Box& box);
    void unclip();

    void fill(const Box& box, Color color, double opacity = 1);
    // A line through the points, round at joints and ends. Opaque where it crosses itself, too.
    void line(const std::vector<CanvasPoint>& points, double width, Color color, double opacity = 1);
    // `at` is on the baseline. Upwards text runs from bottom to top, its `at.x` on the baseline.
    void text(CanvasPoint at, std::string_view utf8, double size, Color color = kBlack, Align align = Align::left,
              bool upwards = false);
    // Any number of channels; alpha is composited over white.
    void picture(int left, int top, const Image& image);

    const Image& image() const { return image_; }

private:
    void blend(int x, int y, Color color, double coverage);

    Image image_;
    Box clip_;
    std::vector<float> mask_;
};

// Advance width in pixels. `size` is the height of ascender and descender together, in pixels; capitals stand 0.63 of it
// high.
double text_width(std::string_view utf8, double size);

}  // namespace ddpm
