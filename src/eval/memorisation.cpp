#include "ddpm/eval/memorisation.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/eval/neighbours.h"
#include "eval/blocks.h"

namespace ddpm {

namespace {

// The distance of each row to the nearest training row, [N].
at::Tensor nearest_distances(const at::Tensor& features, const at::Tensor& train) {
    return nearest(features, train, 1).distances.select(1, 0);
}

void check_train(const at::Tensor& train, int64_t at_least) {
    eval::check_features(train, at_least, "the training pictures' features");
}

void check_held_out(const at::Tensor& held_out) { eval::check_features(held_out, 1, "the held-out pictures' features"); }

int64_t count_of(const at::Tensor& flags) { return flags.sum().item<int64_t>(); }

double log_choose(int64_t n, int64_t k) {
    return std::lgamma(static_cast<double>(n + 1)) - std::lgamma(static_cast<double>(k + 1)) -
           std::lgamma(static_cast<double>(n - k + 1));
}

// The probability that of n samples at least `hits` lie below the j-th of h held-out ones, if all n + h have one law and no ties:
// each order of them is equally likely.
double probability_below(int64_t hits, int64_t n, int64_t j, int64_t h) {
    double sum = 0;
    for (int64_t k = hits; k <= n; ++k)
        sum += std::exp(log_choose(k + j - 1, k) + log_choose(n - k + h - j, n - k) - log_choose(n + h, n));
    return std::min(sum, 1.0);
}

void check_ratios(const at::Tensor& ratios, const char* name) {
    if (!ratios.defined() || ratios.dim() != 1 || ratios.size(0) < 1 || !ratios.is_floating_point() ||
        !at::isfinite(ratios).all().item<bool>())
        user_error(fmt::format("{}: expected a list of at least one finite floating number, a ratio for each picture", name));
}

}  // namespace

Share share_of(int64_t hits, int64_t cases) {
    constexpr double kZ = 1.959963984540054;  // the 97.5 % quantile of N(0, 1)
    const double n = static_cast<double>(cases), p = static_cast<double>(hits) / n, shrink = 1 + kZ * kZ / n;
    const double middle = (p + kZ * kZ / (2 * n)) / shrink;
    const double half = kZ / shrink * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
    return {p, hits == 0 ? 0 : middle - half, hits == cases ? 1 : middle + half};
}

Share share_nearer_to_train(const at::Tensor& features, const at::Tensor& train, const at::Tensor& held_out) {
    const c10::InferenceMode no_gradients;
    check_train(train, 1);
    check_held_out(held_out);
    return share_nearer_of(nearest_distances(features, train), nearest_distances(features, held_out));
}

Share share_nearer_of(const at::Tensor& to_train, const at::Tensor& to_held_out) {
    const c10::InferenceMode no_gradients;
    return share_of(count_of(to_train < to_held_out) + count_of(to_train == to_held_out) / 2, to_train.size(0));
}

at::Tensor nearness_ratios(const at::Tensor& features, const at::Tensor& train) {
    const c10::InferenceMode no_gradients;
    check_train(train, 2);
    return nearness_ratios_of(nearest(features, train, std::min(kRatioNeighbours, train.size(0))).distances);
}

at::Tensor nearness_ratios_of(const at::Tensor& distances) {
    const c10::InferenceMode no_gradients;
    const at::Tensor first = distances.select(1, 0), half_mean = distances.mean(1) / 2;
    // A copy of a picture that `train` holds fifty times is at 0/0.
    return at::where(first == 0, at::zeros_like(first), first / half_mean);
}

CopiesFound find_copies(const at::Tensor& ratios, const at::Tensor& held_out) {
    const c10::InferenceMode no_gradients;
    check_ratios(ratios, "the samples' ratios");
    check_ratios(held_out, "the held-out ratios");
    const int64_t n = ratios.size(0), h = held_out.size(0), j = std::max<int64_t>(1, (h + 1) / 100);
    const at::Tensor values = ratios.to(at::kCPU, at::kDouble);
    CopiesFound found{};
    found.threshold = std::get<0>(held_out.to(at::kCPU, at::kDouble).sort())[j - 1].item<double>();
    found.expected = static_cast<double>(j) / static_cast<double>(h + 1);
    const int64_t flagged = count_of(values < found.threshold);
    found.flagged = share_of(flagged, n);
    found.p_value = probability_below(flagged, n, j, h);
    found.rows = values.argsort().slice(0, 0, flagged).clone();
    return found;
}

Share authentic_share(const at::Tensor& features, const at::Tensor& train) {
    const c10::InferenceMode no_gradients;
    check_train(train, 2);
    const Neighbours neighbours = nearest(features, train, 1);
    const at::Tensor between = nearest_other(train, 1).distances.select(1, 0);
    const at::Tensor around = between.index_select(0, neighbours.rows.select(1, 0));
    return authentic_share_of(neighbours.distances.select(1, 0), around);
}

Share authentic_share_of(const at::Tensor& to_train, const at::Tensor& around) {
    const c10::InferenceMode no_gradients;
    return share_of(count_of(around < to_train), to_train.size(0));
}

DataCopying data_copying(const at::Tensor& features, const at::Tensor& train, const at::Tensor& held_out) {
    const c10::InferenceMode no_gradients;
    check_train(train, 1);
    check_held_out(held_out);
    return data_copying_of(nearest_distances(features, train), nearest_distances(held_out, train));
}

DataCopying data_copying_of(const at::Tensor& of_samples, const at::Tensor& of_held_out) {
    const c10::InferenceMode no_gradients;
    const at::Tensor values = of_samples.contiguous(), sorted = std::get<0>(of_held_out.sort());
    const at::Tensor below = at::searchsorted(sorted, values), up_to = at::searchsorted(sorted, values, false, true);
    const double n = static_cast<double>(values.size(0)), h = static_cast<double>(sorted.size(0));
    const double U = static_cast<double>((below + up_to).sum().item<int64_t>()) / 2;
    return {U, (U - n * h / 2 + 0.5) / std::sqrt(n * h * (n + h + 1) / 12)};
}

}  // namespace ddpm
