#include "dataset/raster.h"

#include <algorithm>
#include <cmath>

namespace ddpm::dataset {

namespace {

constexpr int kTile = 8;
constexpr float kFinest = 0.5f;

struct Raster {
    const SignedDistance& distance;
    int height, width;
    std::vector<float> inside;

    // Adds the square of side `side` with its top left corner at (x, y) to the pixels it lies in.
    void add(float x, float y, float side) {
        if (x >= static_cast<float>(width) || y >= static_cast<float>(height)) return;
        const float half = side / 2;
        const float d = distance({x + half, y + half});
        const float reach = half * 1.4143f;
        if (d >= reach) return;
        if (d <= -reach) {
            fill(x, y, side, 1);
        } else if (side <= kFinest) {
            fill(x, y, side, std::clamp(0.5f - d / side, 0.0f, 1.0f));
        } else {
            add(x, y, half);
            add(x + half, y, half);
            add(x, y + half, half);
            add(x + half, y + half, half);
        }
    }

    void fill(float x, float y, float side, float fraction) {
        const int left = static_cast<int>(x), top = static_cast<int>(y);
        if (side < 1) {
            inside[static_cast<size_t>(top) * static_cast<size_t>(width) + static_cast<size_t>(left)] += fraction * side * side;
            return;
        }
        const int right = std::min(left + static_cast<int>(side), width);
        const int bottom = std::min(top + static_cast<int>(side), height);
        for (int row = top; row < bottom; ++row)
            std::fill(inside.begin() + row * width + left, inside.begin() + row * width + right, fraction);
    }
};

}  // namespace

float polygon_distance(Vector2 p, const std::vector<Vector2>& corners) {
    float nearest = (p - corners[0]).dot(p - corners[0]);
    bool inside = false;
    for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
        const Vector2 edge = corners[j] - corners[i], from = p - corners[i];
        const Vector2 off = from - edge * std::clamp(from.dot(edge) / edge.dot(edge), 0.0f, 1.0f);
        nearest = std::min(nearest, off.dot(off));
        // A ray from p along the x axis crosses the outline an odd number of times if p is inside.
        if ((corners[i].y > p.y) != (corners[j].y > p.y) && from.x < edge.x * from.y / edge.y) inside = !inside;
    }
    return (inside ? -1.0f : 1.0f) * std::sqrt(nearest);
}

std::vector<float> rasterise(const SignedDistance& distance, int height, int width) {
    Raster raster{distance, height, width, std::vector<float>(static_cast<size_t>(height) * static_cast<size_t>(width))};
    for (int y = 0; y < height; y += kTile)
        for (int x = 0; x < width; x += kTile) raster.add(static_cast<float>(x), static_cast<float>(y), static_cast<float>(kTile));
    return std::move(raster.inside);
}

}  // namespace ddpm::dataset
