#pragma once

#include <cmath>
#include <functional>
#include <vector>

namespace ddpm {

struct Point {
    float x = 0, y = 0;

    Point operator+(Point other) const { return {x + other.x, y + other.y}; }
    Point operator-(Point other) const { return {x - other.x, y - other.y}; }
    Point operator*(float factor) const { return {x * factor, y * factor}; }
    float dot(Point other) const { return x * other.x + y * other.y; }
    float length() const { return std::hypot(x, y); }
};

// Distance from a point to a shape's outline, negative inside; never more than the true distance.
using SignedDistance = std::function<float(Point)>;

// Exact signed distance to a simple polygon.
float polygon_distance(Point p, const std::vector<Point>& corners);

// The fraction of each pixel that lies inside, 0 … 1, [height, width] row by row. The plane is measured in pixels: the
// first one spans [0,1] × [0,1], y points down. Squares that the distance shows to be all in or all out are filled
// whole, the others are quartered down to a quarter of a pixel.
std::vector<float> rasterise(const SignedDistance& distance, int height, int width);

}  // namespace ddpm
