#include "ddpm/eval/quality.h"

#include <array>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/named_rows.h"
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
    QualityNumber number{name, samples.value, samples.sd(), {}, 0, samples.without};
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

Numbers fd_by_moments(const GaussianFactor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    return one_number("fd", samples, floor, [&](const at::Tensor& features) { return frechet_jackknife(reference, features); });
}

Numbers measure_fd(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    return fd_by_moments(fit_features(reference), samples, floor);
}

// FD∞, over the pictures in a mixed order. It is the same order for the pictures that a jackknife leaves: what another one changes
// would count as a deviation, which would be twice too large.
Numbers fd_limit_by_moments(const GaussianFactor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    return one_number("fd_inf", samples, floor, [&](const at::Tensor& features) {
        const int64_t n = features.size(0);
        const at::Tensor order = mixed_rows(n);
        return jackknife(n, [&](const at::Tensor& rows) {
            const at::Tensor kept = at::zeros({n}, at::kBool).index_fill_(0, rows, true);
            const at::Tensor mixed =
                features.index_select(0, order.masked_select(kept.index_select(0, order)).to(features.device()));
            return frechet_limit(reference, mixed, frechet_limit_sizes(rows.size(0))).limit;
        });
    });
}

Numbers measure_fd_limit(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    return fd_limit_by_moments(fit_features(reference), samples, floor);
}

// Measures two numbers of a Manifold, in the same way.
Numbers two_numbers(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor, int64_t neighbours,
                    const std::array<std::pair<const char*, Jackknifed ManifoldJackknifed::*>, 2>& names) {
    const Manifold manifold(reference, neighbours);
    const ManifoldJackknifed judged = manifold.jackknifed(samples);
    const std::optional<ManifoldJackknifed> real =
        floor.defined() ? std::optional(manifold.jackknifed(floor)) : std::optional<ManifoldJackknifed>();
    Numbers numbers;
    for (const auto& [name, part] : names)
        numbers.push_back(number_of(name, judged.*part, real ? std::optional<Jackknifed>((*real).*part) : std::nullopt));
    return numbers;
}

Numbers measure_pr(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    return two_numbers(reference, samples, floor, kPrecisionNeighbours,
                       {{{"precision", &ManifoldJackknifed::precision}, {"recall", &ManifoldJackknifed::recall}}});
}

Numbers measure_dc(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor) {
    return two_numbers(reference, samples, floor, kDensityNeighbours,
                       {{{"density", &ManifoldJackknifed::density}, {"coverage", &ManifoldJackknifed::coverage}}});
}

}  // namespace

const std::vector<QualityMetric>& quality_metrics() {
    static const std::vector<QualityMetric> table = {
        {"mmd", "squared maximum mean discrepancy with a Gaussian kernel, without bias; it decides", measure_mmd, true},
        {"fd", "Frechet distance of normal distributions; it falls with the number of samples", measure_fd, true, fd_by_moments},
        {"fd_inf", "the Frechet distance of endlessly many samples, by a line over 1/n", measure_fd_limit, true,
         fd_limit_by_moments},
        {"kid", "MMD with the kernel (x*y/D + 1)^3, that of KID", measure_kid, true},
        {"pr", "precision (are samples like the data?) and recall (is all of it sampled?), 3 neighbours", measure_pr, false},
        {"dc", "density and coverage, 5 neighbours", measure_dc, false},
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

std::vector<QualityMetric> read_quality_metrics(const std::string& names) {
    std::vector<QualityMetric> rows;
    for (const std::string& name : split(names, ',')) {
        rows.push_back(row_named(quality_metrics(), "metric", name));
        for (size_t i = 0; i + 1 < rows.size(); ++i)
            if (rows[i].name == name) user_error(quote(name) + " is there twice");
    }
    return rows;
}

std::string verdict_of(const QualityNumber& number) {
    if (!number.floor)
        return fmt::format("{} {:.3g}; there is no floor of real pictures to stand beside", number.name, number.value);
    const double above = number.value - *number.floor, sd = std::hypot(number.sd, number.floor_sd);
    const std::string beside = fmt::format("{} {:.3g}, of real pictures {:.3g}", number.name, number.value, *number.floor);
    if (std::abs(above) <= 2 * sd)
        return beside + ": the samples are not told apart from real pictures (they lie within two deviations of each other)";
    return fmt::format("{}: the samples differ from real pictures, by {:.2g} deviations", beside, std::abs(above) / sd);
}

}  // namespace ddpm
