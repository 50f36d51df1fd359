// The built-in data set: one clean shape on a quiet background, labelled and drawn when it is read. It is easy enough for a
// small network to learn in minutes: large shapes, flat colours, little else that varies.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dataset/kinds.h"
#include "dataset/palette.h"
#include "dataset/raster.h"
#include "ddpm/image/transform.h"

namespace ddpm::dataset {

namespace {

constexpr float kPi = std::numbers::pi_v<float>;

// These return signed distances to the shapes, which fill about [-1, 1] × [-1, 1], y pointing down, in the same units.

float disc(Vector2 p) { return p.length() - 0.95f; }

float ring(Vector2 p) { return std::abs(p.length() - 0.71f) - 0.26f; }

float square(Vector2 p) {
    constexpr float half = 0.72f, rounding = 0.1f;
    const Vector2 off{std::abs(p.x) - half, std::abs(p.y) - half};
    const Vector2 beyond{std::max(off.x, 0.0f), std::max(off.y, 0.0f)};
    return beyond.length() + std::min(std::max(off.x, off.y), 0.0f) - rounding;
}

float triangle(Vector2 p) {
    static const std::vector<Vector2> corners{{0, -0.86f}, {0.82f, 0.68f}, {-0.82f, 0.68f}};
    return polygon_distance(p, corners) - 0.1f;
}

float star(Vector2 p) {
    static const std::vector<Vector2> corners = [] {
        std::vector<Vector2> points;
        for (int i = 0; i < 10; ++i) {
            const float angle = kPi * static_cast<float>(i) / 5, radius = i % 2 == 0 ? 1.0f : 0.45f;
            points.push_back({radius * std::sin(angle), 0.06f - radius * std::cos(angle)});
        }
        return points;
    }();
    return polygon_distance(p, corners) - 0.06f;
}

// Two lobes around (±1/4, 3/4) with radius √2/4 over a square standing on its corner (Inigo Quilez, "2D distance
// functions"), scaled by 1.65 and turned point down.
float heart(Vector2 p) {
    constexpr float scale = 1.65f;
    const Vector2 q{std::abs(p.x) / scale, 0.56f - p.y / scale};
    if (q.x + q.y > 1) return scale * ((q - Vector2{0.25f, 0.75f}).length() - std::sqrt(2.0f) / 4);
    const float along = std::max(q.x + q.y, 0.0f) / 2;
    const float edge = std::min((q - Vector2{0, 1}).length(), (q - Vector2{along, along}).length());
    return scale * std::copysign(edge, q.x - q.y);
}

float cross(Vector2 p) {
    constexpr float arm = 0.28f, reach = 0.9f;
    static const std::vector<Vector2> corners{{-arm, -reach}, {arm, -reach}, {arm, -arm},    {reach, -arm},
                                              {reach, arm},   {arm, arm},    {arm, reach},   {-arm, reach},
                                              {-arm, arm},    {-reach, arm}, {-reach, -arm}, {-arm, -arm}};
    return polygon_distance(p, corners) - 0.05f;
}

float crescent(Vector2 p) {
    p.x -= 0.1f;
    return std::max(p.length() - 0.95f, 0.76f - (p - Vector2{0.48f, -0.1f}).length());
}

// A disc and its two tangents from a point above it.
float drop(Vector2 p) {
    constexpr float radius = 0.6f, center = 0.34f, tip = -0.92f;
    const float sine = radius / (center - tip), cosine = std::sqrt(1 - sine * sine);
    const Vector2 q{std::abs(p.x), p.y - tip};
    const float along = q.x * sine + q.y * cosine, across = q.x * cosine - q.y * sine;
    if (along < 0) return q.length() - 0.05f;
    if (along > cosine * (center - tip)) return (p - Vector2{0, center}).length() - radius - 0.05f;
    return across - 0.05f;
}

float arrow(Vector2 p) {
    static const std::vector<Vector2> corners{{0, -0.92f},   {0.82f, -0.05f}, {0.3f, -0.05f},  {0.3f, 0.9f},
                                              {-0.3f, 0.9f}, {-0.3f, -0.05f}, {-0.82f, -0.05f}};
    return polygon_distance(p, corners) - 0.06f;
}

struct Shape {
    const char* name;
    float (*distance)(Vector2);
};
constexpr Shape kShapes[] = {{"disc", disc},   {"ring", ring},   {"square", square},     {"triangle", triangle}, {"star", star},
                             {"heart", heart}, {"cross", cross}, {"crescent", crescent}, {"drop", drop},         {"arrow", arrow}};

class Shapes : public Dataset {
public:
    Shapes(const DatasetOptions& options, uint64_t seed) : Dataset(options), length_(options.length), seed_(seed) {
        for (const Shape& shape : kShapes) names_.emplace_back(shape.name);
    }

    int64_t size() const override { return length_; }
    const std::vector<std::string>& class_names() const override { return names_; }
    int64_t label(int64_t index) const override { return index % static_cast<int64_t>(std::size(kShapes)); }
    std::string describe() const override { return "shapes, drawn on the fly"; }

protected:
    int64_t fetch(int64_t index, RandomStream&, uint8_t* hwc) const override {
        Image image = draw(kShapes[label(index)], index);
        if (channels() != 3) image = convert_channels(image, static_cast<int>(channels()));
        std::copy(image.pixels.begin(), image.pixels.end(), hwc);
        return label(index);
    }

private:
    Image draw(const Shape& shape, int64_t index) const {
        RandomStream random(seed_, Purpose::synthetic, 0, static_cast<uint64_t>(index));
        const Palette palette = draw_palette(random);
        const auto rows = static_cast<float>(height()), columns = static_cast<float>(width());
        const auto uniform = [&random](float low, float high) { return static_cast<float>(random.uniform(low, high)); };
        const float radius = std::min(rows, columns) * uniform(0.36f, 0.42f);
        const float angle = uniform(-0.12f, 0.12f), cosine = std::cos(angle), sine = std::sin(angle);
        const float room_x = columns / 2 - radius, room_y = rows / 2 - radius;
        const Vector2 center{columns / 2 + room_x * uniform(-0.35f, 0.35f), rows / 2 + room_y * uniform(-0.35f, 0.35f)};
        const SignedDistance distance = [&](Vector2 pixel) {
            const Vector2 p = (pixel - center) * (1 / radius);
            return radius * shape.distance({cosine * p.x + sine * p.y, cosine * p.y - sine * p.x});
        };
        const std::vector<float> inside = rasterise(distance, static_cast<int>(height()), static_cast<int>(width()));

        // The background fades along a direction of its own, from corner to corner at most.
        const float direction = uniform(0, 2 * kPi);
        const Vector2 fade = Vector2{std::cos(direction) / columns, std::sin(direction) / rows} * 0.7f;
        Image image{static_cast<int>(width()), static_cast<int>(height()), 3, {}};
        image.pixels.resize(inside.size() * 3);
        for (size_t i = 0; i < inside.size(); ++i) {
            const size_t column = i % static_cast<size_t>(width()), row = i / static_cast<size_t>(width());
            const Vector2 offset{static_cast<float>(column) + 0.5f - columns / 2, static_cast<float>(row) + 0.5f - rows / 2};
            const float mix = std::clamp(0.5f + offset.dot(fade), 0.0f, 1.0f);
            for (size_t c = 0; c < 3; ++c) {
                const float background = palette.background_from[c] + mix * (palette.background_to[c] - palette.background_from[c]);
                const float color = background + inside[i] * (palette.shape[c] - background);
                image.pixels[i * 3 + c] = static_cast<uint8_t>(std::lround(std::clamp(color, 0.0f, 255.0f)));
            }
        }
        return image;
    }

    int64_t length_;
    uint64_t seed_;
    std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Dataset> open_shapes(const DatasetOptions& options, uint64_t seed, int) {
    return std::make_unique<Shapes>(options, seed);
}

}  // namespace ddpm::dataset
