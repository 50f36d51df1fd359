#include "cli/judging.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "cli/flag_names.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

std::vector<QualityMetric> read_metrics_flag(const std::string& metrics) {
    return naming_flag("--metrics", [&] { return read_quality_metrics(metrics); });
}

std::vector<QualityMetric> read_ranking_metrics(const std::string& metrics) {
    std::vector<QualityMetric> rows = read_metrics_flag(metrics);
    if (rows.front().is_distance) return rows;
    std::vector<std::string> distances;
    for (const QualityMetric& metric : quality_metrics())
        if (metric.is_distance) distances.push_back(metric.name);
    user_error(fmt::format("--metrics: {} comes first, and the first one says which samples are the best; begin with {}",
                           rows.front().name, fmt::join(distances, " or ")));
}

std::unique_ptr<const Judge> read_judge(std::unique_ptr<Features> features, const RealPictures& pictures, int64_t samples,
                                        int64_t batch) {
    RealFeatures real = features_of_real(*features, pictures, samples, batch);
    auto judge = std::make_unique<const Judge>(std::move(features), std::move(real));
    if (const std::string warning = judge->warning(); !warning.empty())
        spdlog::warn("{}: {}", pictures.stored ? "--ref" : "--real", warning);
    return judge;
}

}  // namespace ddpm::cli
