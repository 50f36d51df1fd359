#include "ddpm/diffusion/loss_options.h"

#include <algorithm>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "ddpm/diffusion/loss_weighting.h"
#include "ddpm/diffusion/timestep_sampling.h"

namespace ddpm {

namespace {

// "simple: 1 at every t (Ho et al. 2020); min_snr: …"
template <class Row>
std::string summaries(const std::vector<Row>& table) {
    std::vector<std::string> texts;
    for (const Row& row : table) texts.push_back(row.name + ": " + row.summary);
    return join(texts, "; ");
}

}  // namespace

const FieldTable<LossOptions>& loss_fields() {
    using L = LossOptions;
    static const FieldTable<L> table =
        FieldTable<L>()
            .choice("loss_weighting", &L::loss_weighting, loss_weighting_names(),
                    "weight of the squared error at each t, with SNR = alphas_cumprod/(1-alphas_cumprod); " +
                        summaries(loss_weightings()))
            .add("snr_gamma", &L::snr_gamma, Range::above(0), "gamma of min_snr and soft_min_snr")
            .add("p2_k", &L::p2_k, Range::above(0), "k of p2")
            .add("p2_gamma", &L::p2_gamma, Range::between(0, 10), "gamma of p2")
            .choice("timestep_sampling", &L::timestep_sampling, timestep_sampling_names(),
                    "how often each t is drawn, with k = sqrt(1/SNR); " + summaries(timestep_samplings()))
            .add("lognormal_mean", &L::lognormal_mean, Range::between(-20, 20), "mean of ln k for lognormal")
            .add("lognormal_deviation", &L::lognormal_deviation, Range{0, 20, true}, "standard deviation of ln k for lognormal");
    return table;
}

namespace {

// Refuses a value other than the default for a key that only other rows of `table` than the chosen one read.
template <class Row>
void refuse_unread(const LossOptions& options, const std::vector<Row>& table, const Row& chosen, const char* choice) {
    const Json given = loss_fields().write(options), defaults = loss_fields().write({});
    for (const Row& row : table)
        for (const std::string& key : row.keys) {
            if (given[key] == defaults[key] || std::find(chosen.keys.begin(), chosen.keys.end(), key) != chosen.keys.end())
                continue;
            std::vector<std::string> readers;
            for (const Row& other : table)
                if (std::find(other.keys.begin(), other.keys.end(), key) != other.keys.end()) readers.push_back(other.name);
            key_error("train." + key,
                      fmt::format("{} is not read with train.{} {}; expected {} there, or the default {}", brief(given[key]),
                                  choice, chosen.name, fmt::join(readers, " or "), brief(defaults[key])));
        }
}

}  // namespace

void check(const LossOptions& options, const DiffusionOptions& diffusion) {
    const LossWeighting& weighting = loss_weighting(options.loss_weighting);
    const TimestepSampling& sampling = timestep_sampling(options.timestep_sampling);
    refuse_unread(options, loss_weightings(), weighting, "loss_weighting");
    refuse_unread(options, timestep_samplings(), sampling, "timestep_sampling");
    if (!sampling.even && diffusion.variance_type == name_of(VarianceType::learned_range))
        key_error("train.timestep_sampling",
                  fmt::format("{} does not go with diffusion.variance_type learned_range, whose loss takes "
                              "each t as often as any other; expected uniform",
                              sampling.name));
    if (!diffusion.zero_terminal_snr) return;
    const NoiseLevel last = noise_level(-std::numeric_limits<double>::infinity(), static_cast<double>(diffusion.timesteps - 1));
    if (weighting.weight(options, parse_prediction_type(diffusion.prediction_type), last) == 0)
        key_error("train.loss_weighting",
                  fmt::format("{} is 0 at the last t of diffusion.zero_terminal_snr, where sampling begins; expected simple or "
                              "truncated_snr",
                              weighting.name));
    if (!sampling.even)
        key_error("train.timestep_sampling",
                  fmt::format("{} never draws the last t of diffusion.zero_terminal_snr, where sampling begins; expected uniform",
                              sampling.name));
}

}  // namespace ddpm
