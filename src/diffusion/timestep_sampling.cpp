#include "ddpm/diffusion/timestep_sampling.h"

#include <cmath>

#include "ddpm/core/named_rows.h"

namespace ddpm {

const std::vector<TimestepSampling>& timestep_samplings() {
    static const std::vector<TimestepSampling> table = {
        {"uniform",
         "each as often as any other (Ho et al. 2020)",
         {},
         true,
         [](const LossOptions&, const std::vector<NoiseLevel>& levels, RandomStream& stream) {
             return static_cast<int64_t>(stream.below(levels.size()));
         }},
        // ln k ~ N(mean, deviation²), k = σ/α (arXiv 2206.00364, table 1), and of it the t whose ln k is nearest: t + ½ is halfway
        // between ln k_t and ln k_{t+1}. What lies beyond the schedule counts for the t at that end.
        {"lognormal",
         "the t whose ln k is nearest to a normal number, most often where a picture is neither seen nor drowned (Karras et al. 2022)",
         {"lognormal_mean", "lognormal_deviation"},
         false,
         [](const LossOptions& options, const std::vector<NoiseLevel>& levels, RandomStream& stream) {
             const double log_k = options.lognormal_mean + options.lognormal_deviation * stream.normal();
             return static_cast<int64_t>(std::llround(level_of_ratio(levels, std::exp(log_k)).t));
         }},
    };
    return table;
}

std::vector<std::string> timestep_sampling_names() { return names_of(timestep_samplings()); }

const TimestepSampling& timestep_sampling(const std::string& name) {
    return row_named(timestep_samplings(), "timestep sampling", name);
}

}  // namespace ddpm
