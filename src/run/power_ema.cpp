#include "ddpm/run/power_ema.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

// ∫ p_a(τ)·p_b(τ) dτ, the inner product of two profiles (arXiv 2312.02696, equation 126).
double profile_product(const PowerAverage& a, const PowerAverage& b) {
    const double power = a.t < b.t ? b.gamma : -a.gamma;
    return (a.gamma + 1) * (b.gamma + 1) * std::pow(a.t / b.t, power) / ((a.gamma + b.gamma + 1) * std::max(a.t, b.t));
}

// ∫ (1 − F_a(τ))·(1 − F_b(τ)) dτ with F the integral of p from 0 to τ. A step of a random walk at τ moves the average by 1 − F(τ)
// of it, so that this is the covariance of two averages.
double walk_product(const PowerAverage& a, const PowerAverage& b) {
    const double m = std::min(a.t, b.t), power_a = a.gamma + 1, power_b = b.gamma + 1;
    const double at_a = std::pow(m / a.t, power_a), at_b = std::pow(m / b.t, power_b);
    return m * (1 - at_a / (power_a + 1) - at_b / (power_b + 1) + at_a * at_b / (power_a + power_b + 1));
}

// ∫ F(τ)² dτ over 0 … t: the expected square of the distance between an average and the last weights of a random walk.
double square_from_last(const PowerAverage& a) { return a.t / (2 * (a.gamma + 1) + 1); }

// Solves A·x = b by elimination with pivots from the column. A is n × n, row by row.
std::vector<double> solve(std::vector<double> A, std::vector<double> b) {
    const size_t n = b.size();
    for (size_t k = 0; k < n; ++k) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; ++i)
            if (std::abs(A[i * n + k]) > std::abs(A[pivot * n + k])) pivot = i;
        for (size_t j = 0; j < n; ++j) std::swap(A[k * n + j], A[pivot * n + j]);
        std::swap(b[k], b[pivot]);
        for (size_t i = k + 1; i < n; ++i) {
            const double factor = A[i * n + k] / A[k * n + k];
            for (size_t j = k; j < n; ++j) A[i * n + j] -= factor * A[k * n + j];
            b[i] -= factor * b[k];
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; ++j) b[k] -= A[k * n + j] * b[j];
        b[k] /= A[k * n + k];
    }
    return b;
}

// ‖Σ wᵢaᵢ − wanted‖² in the norm of `product`.
template <class Product>
double squared_distance(const std::vector<PowerAverage>& stored, const std::vector<double>& weights, const PowerAverage& wanted,
                        const Product& product) {
    double sum = product(wanted, wanted);
    for (size_t i = 0; i < stored.size(); ++i) {
        sum -= 2 * weights[i] * product(stored[i], wanted);
        for (size_t j = 0; j < stored.size(); ++j) sum += weights[i] * weights[j] * product(stored[i], stored[j]);
    }
    return std::max(sum, 0.0);
}

}  // namespace

double greatest_ema_width() { return std::sqrt(1.0 / 12); }

std::string ema_width_range() { return fmt::format("{} ≤ width < {:.4f}", kLeastEmaWidth, greatest_ema_width()); }

void check_ema_width(double width, const std::string& path) {
    if (width >= kLeastEmaWidth && width < greatest_ema_width()) return;  // false for NaN
    key_error(path, fmt::format("got {}, expected {} (a fraction of the training; the mean over all of it has {:.4f})", width,
                                ema_width_range(), greatest_ema_width()));
}

double power_of_width(double width) {
    const double c = 1 / (width * width);
    // The cubic is convex and positive at 1/w, to the right of its largest root, so that Newton's steps go down to the root.
    double gamma = 1 / width;
    for (;;) {
        const double value = ((gamma + 7) * gamma + 16 - c) * gamma + 12 - c, slope = (3 * gamma + 14) * gamma + 16 - c;
        const double next = gamma - value / slope;
        if (!(next < gamma)) return gamma;
        gamma = next;
    }
}

double power_ema_decay(int64_t n, double gamma) { return std::pow(1 - 1 / static_cast<double>(n), gamma + 1); }

Reconstruction reconstruct(const std::vector<PowerAverage>& stored, const PowerAverage& wanted) {
    const size_t n = stored.size();
    // Profiles are divided by their norms, which keeps the matrix well conditioned.
    std::vector<double> norms, matrix(n * n), right(n);
    for (const PowerAverage& one : stored) norms.push_back(std::sqrt(profile_product(one, one)));
    for (size_t i = 0; i < n; ++i) {
        right[i] = profile_product(stored[i], wanted) / norms[i];
        for (size_t j = 0; j < n; ++j) matrix[i * n + j] = profile_product(stored[i], stored[j]) / (norms[i] * norms[j]);
    }
    Reconstruction result;
    result.weights = solve(std::move(matrix), std::move(right));
    for (size_t i = 0; i < n; ++i) result.weights[i] /= norms[i];
    const double sum = std::accumulate(result.weights.begin(), result.weights.end(), 0.0);
    for (double& weight : result.weights) weight /= sum;
    result.residual =
        std::sqrt(squared_distance(stored, result.weights, wanted, profile_product) / profile_product(wanted, wanted));
    result.error = std::sqrt(squared_distance(stored, result.weights, wanted, walk_product) / square_from_last(wanted));
    return result;
}

}  // namespace ddpm
