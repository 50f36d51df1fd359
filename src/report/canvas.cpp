#include "ddpm/report/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ddpm/image/transform.h"
#include "glyphs.h"

namespace ddpm {

namespace {

double distance_to_segment(double x, double y, const CanvasPoint& a, const CanvasPoint& b) {
    const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    const double t = length2 > 0 ? std::clamp(((x - a.x) * dx + (y - a.y) * dy) / length2, 0.0, 1.0) : 0;
    return std::hypot(x - a.x - t * dx, y - a.y - t * dy);
}

Box intersection(const Box& a, const Box& b) {
    const int left = std::max(a.left, b.left), top = std::max(a.top, b.top);
    return {left, top, std::max(std::min(a.right(), b.right()) - left, 0), std::max(std::min(a.bottom(), b.bottom()) - top, 0)};
}

// The pixels that a segment of this half width can touch.
Box reach(const CanvasPoint& a, const CanvasPoint& b, double radius) {
    const int left = static_cast<int>(std::floor(std::min(a.x, b.x) - radius)),
              top = static_cast<int>(std::floor(std::min(a.y, b.y) - radius));
    return {left, top, static_cast<int>(std::ceil(std::max(a.x, b.x) + radius)) - left,
            static_cast<int>(std::ceil(std::max(a.y, b.y) + radius)) - top};
}

}  // namespace

Canvas::Canvas(int width, int height, Color background)
    : image_(make_image(width, height, 3)), clip_{0, 0, width, height}, mask_(static_cast<size_t>(width) * height) {
    fill(clip_, background);
}

void Canvas::clip(const Box& box) { clip_ = intersection(box, {0, 0, image_.width, image_.height}); }

void Canvas::unclip() { clip_ = {0, 0, image_.width, image_.height}; }

void Canvas::blend(int x, int y, Color color, double coverage) {
    if (x < clip_.left || x >= clip_.right() || y < clip_.top || y >= clip_.bottom()) return;
    uint8_t* pixel = image_.at(x, y);
    const uint8_t parts[] = {color.red, color.green, color.blue};
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + coverage * (parts[c] - pixel[c])));
}

void Canvas::fill(const Box& box, Color color, double opacity) {
    const Box visible = intersection(box, clip_);
    for (int y = visible.top; y < visible.bottom(); ++y)
        for (int x = visible.left; x < visible.right(); ++x) blend(x, y, color, opacity);
}

void Canvas::line(const std::vector<CanvasPoint>& points, double width, Color color, double opacity) {
    const double radius = width / 2 + 0.5;
    const auto pixel_mask = [&](int x, int y) -> float& { return mask_[static_cast<size_t>(y) * image_.width + x]; };
    // The coverage of all segments is gathered first and blended once, so that joints are no darker than the rest.
    const size_t segments = points.size() == 1 ? 1 : points.size() - std::min<size_t>(points.size(), 1);
    for (const bool gathering : {true, false}) {
        for (size_t i = 0; i < segments; ++i) {
            const CanvasPoint &a = points[i], &b = points[std::min(i + 1, points.size() - 1)];
            const Box box = intersection(reach(a, b, radius), clip_);
            for (int y = box.top; y < box.bottom(); ++y) {
                for (int x = box.left; x < box.right(); ++x) {
                    float& coverage = pixel_mask(x, y);
                    if (gathering) {
                        const double distance = distance_to_segment(x + 0.5, y + 0.5, a, b);
                        coverage = std::max(coverage, static_cast<float>(std::clamp(radius - distance, 0.0, std::min(width, 1.0))));
                    } else if (coverage > 0) {
                        blend(x, y, color, coverage * opacity);
                        coverage = 0;
                    }
                }
            }
        }
    }
}

void Canvas::text(CanvasPoint at, std::string_view utf8, double size, Color color, Align align, bool upwards) {
    const double width = text_width(utf8, size);
    const double shift = align == Align::left ? 0 : align == Align::right ? -width : -width / 2;
    // The baseline is rounded to a pixel's edge, where letters are sharp.
    const int base_x = static_cast<int>(std::lround(at.x)), base_y = static_cast<int>(std::lround(at.y));
    const double pen = (upwards ? -at.y : at.x) + shift;
    report::rasterise(utf8, size, pen, [&](int along, int down, double coverage) {
        if (upwards)
            blend(base_x + down, -along - 1, color, coverage);
        else
            blend(along, base_y + down, color, coverage);
    });
}

void Canvas::picture(int left, int top, const Image& image) {
    const Image rgb = convert_channels(image, 3);
    const Box visible = intersection({left, top, image.width, image.height}, clip_);
    for (int y = visible.top; y < visible.bottom(); ++y)
        std::memcpy(image_.at(visible.left, y), rgb.at(visible.left - left, y - top), static_cast<size_t>(visible.width) * 3);
}

}  // namespace ddpm
