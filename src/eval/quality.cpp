#include "ddpm/eval/quality.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/feature_frechet.h"
#include "ddpm/eval/jackknife.h"
#include "ddpm/eval/kernel_distance.h"
#include "ddpm/eval/manifold.h"

namespace ddpm {

namespace {

constexpr int64_t kPrecisionNeighbours = 3, kDensityNeighbours = 5;  // those of the papers (manifold.h)

using Numbers = std::vector<QualityNumber>;

QualityNumber number_of(const std::string& name, const Jackknifed& samples, const std::optional<Jackknifed>& floor) {
    QualityNumber number{name, samples.value, samples.sd(), {}, 0};
    if (floor) {
        number.floor = floor->value;
        number.floor_sd = floor->sd();
    }
    return number;
}

// Measures samples, and the floor if there is one, in the same way.
template <class Measure>
Numbers one_number(const std::string& name, const at::Tensor& samples, const at::Tensor& floor, const Measure& measure) {
    return {number_of(name, measure(samples), floor.defined() ? std::optional<Jackknifed>(measure(floor)) : std::nullopt)};
}

Numbers measure_mmd(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    const KernelDistance distance(reference, gaussian_kernel(median_squared_distance(reference)));
    return one_number("mmd", samples, floor, [&](const at::Tensor& features) { return distance.jackknifed(features); });
}

Numbers measure_kid(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    const KernelDistance distance(reference, polynomial_kernel());
    return one_number("kid", samples, floor, [&](const at::Tensor& features) { return distance.jackknifed(features); });
}

Numbers measure_fd(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    const GaussianFactor fitted = fit_features(reference);
    return one_number("fd", samples, floor, [&](const at::Tensor& features) { return frechet_jackknife(fitted, features); });
}

// FD∞, over the pictures in a mixed order.
Numbers measure_fd_limit(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    const GaussianFactor fitted = fit_features(reference);
    return one_number("fd_inf", samples, floor, [&](const at::Tensor& features) {
        return jackknife(features.size(0), [&](const at::Tensor& rows) {
            const int64_t n = rows.size(0);
            const at::Tensor mixed = features.index_select(0, rows.index_select(0, mixed_rows(n)));
            return frechet_limit(fitted, mixed, frechet_limit_sizes(n)).limit;
        });
    });
}

Numbers measure_pr(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    const Manifold manifold(reference, kPrecisionNeighbours);
    const ManifoldJackknifed judged = manifold.jackknifed(samples);
    if (!floor.defined()) return {number_of("precision", judged.precision, {}), number_of("recall", judged.recall, {})};
    const ManifoldJackknifed real = manifold.jackknifed(floor);
    return {number_of("precision", judged.precision, real.precision), number_of("recall", judged.recall, real.recall)};
}

Numbers measure_dc(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    const Manifold manifold(reference, kDensityNeighbours);
    const ManifoldJackknifed judged = manifold.jackknifed(samples);
    if (!floor.defined()) return {number_of("density", judged.density, {}), number_of("coverage", judged.coverage, {})};
    const ManifoldJackknifed real = manifold.jackknifed(floor);
    return {number_of("density", judged.density, real.density), number_of("coverage", judged.coverage, real.coverage)};
}

}  // namespace

const std::vector<QualityMetric>& quality_metrics() {
    static const std::vector<QualityMetric> table = {
        {"mmd", "squared maximum mean discrepancy with a Gaussian kernel, without bias; it decides", measure_mmd},
        {"fd", "Frechet distance of normal distributions; it falls with the number of samples", measure_fd},
        {"fd_inf", "the Frechet distance of endlessly many samples, by a line over 1/n", measure_fd_limit},
        {"kid", "MMD with the kernel (x*y/D + 1)^3, that of KID", measure_kid},
        {"pr", "precision (are samples like the data?) and recall (is all of it sampled?), 3 neighbours", measure_pr},
        {"dc", "density and coverage, 5 neighbours", measure_dc},
    };
    return table;
}

const QualityMetric& quality_metric(const std::string& name, const std::string& flag) {
    std::vector<std::string> names;
    for (const QualityMetric& metric : quality_metrics()) {
        if (metric.name == name) return metric;
        names.push_back(metric.name);
    }
    user_error(flag + ": " + unknown_name("metric", name, names));
}

std::string verdict_of(const QualityNumber& number) {
    if (!number.floor) return fmt::format("{} has no floor to stand beside", number.name);
    const double above = number.value - *number.floor, sd = std::hypot(number.sd, number.floor_sd);
    if (std::abs(above) <= 2 * sd)
        return fmt::format("by {} the samples are not told apart from real pictures: they lie within two deviations of the floor",
                           number.name);
    return fmt::format("by {} the samples differ from real pictures: {} the floor by {:.3g}, which is {:.2g} deviations",
                       number.name, above > 0 ? "above" : "below", std::abs(above), std::abs(above) / sd);
}

}  // namespace ddpm
