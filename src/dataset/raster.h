#pragma once

#include <cmath>
#include <functional>
#include <vector>

namespace ddpm::dataset {

// A place or a direction in the plane.
struct Vector2 {
    float x = 0, y = 0;

    Vector2 operator+(Vector2 other) const { return {x + other.x, y + other.y}; }
    Vector2 operator-(Vector2 other) const { return {x - other.x, y - other.y}; }
    Vector2 operator*(float factor) const { return {x * factor, y * factor}; }
    float dot(Vector2 other) const { return x * other.x + y * other.y; }
    float length() const { return std::hypot(x, y); }
};

// Distance from a point to a shape's outline, negative inside; never more than the true distance.
using SignedDistance = std::function<float(Vector2)>;

// Exact signed distance to a simple polygon.
float polygon_distance(Vector2 p, const std::vector<Vector2>& corners);

// Returns the fraction of each pixel that lies inside, 0 … 1, [height, width] row by row. The plane is measured in pixels: the
// first one spans [0,1] × [0,1], y points down. A square that the distance shows to lie wholly inside or outside is filled at
// once; any other is divided into four, down to squares of a quarter of a pixel.
std::vector<float> rasterise(const SignedDistance& distance, int height, int width);

}  // namespace ddpm::dataset
