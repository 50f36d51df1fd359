#include "ddpm/diffusion/options.h"

#include <cmath>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "ddpm/diffusion/betas.h"
#include "ddpm/diffusion/types.h"

namespace ddpm {

const FieldTable<DiffusionOptions>& diffusion_fields() {
    using D = DiffusionOptions;
    static const FieldTable<D> table =
        FieldTable<D>()
            .choice("schedule", &D::schedule, noise_schedule_names(), "how noise grows with t")
            .add("timesteps", &D::timesteps, Range::between(2, 1e6), "T, the number of noising steps")
            .add("rescale", &D::rescale, "linear only: betas times 1000/T, so that short chains still end in noise")
            .add("beta_start", &D::beta_start, Range{0, 1, true}, "linear and scaled_linear: the first beta")
            .add("beta_end", &D::beta_end, Range{0, 1, true}, "linear and scaled_linear: the last beta")
            .add("zero_terminal_snr", &D::zero_terminal_snr,
                 "stretch the schedule so that nothing of the image is left at the last t")
            .choice("prediction_type", &D::prediction_type, prediction_type_names(),
                    "what the network predicts: the noise, the image, or v = sqrt(alphas_cumprod)*noise - "
                    "sqrt(1-alphas_cumprod)*image")
            .choice("variance_type", &D::variance_type, variance_type_names(),
                    "variance of an ancestral sampling step: of q(x_t-1|x_t,x_0), beta, or learned between the two, with twice as "
                    "many channels of output");
    return table;
}

void check(const DiffusionOptions& options) {
    const bool uses_range = options.schedule == "linear" || options.schedule == "scaled_linear";
    if (uses_range && options.beta_start > options.beta_end)
        key_error("diffusion.beta_start", fmt::format("{} is larger than diffusion.beta_end ({}); expected noise to grow",
                                                      options.beta_start, options.beta_end));
    if (options.schedule == "linear" && options.rescale) {
        const double T = static_cast<double>(options.timesteps);
        if (const double last = 1000.0 / T * options.beta_end; last >= 1)
            key_error("diffusion.timesteps",
                      fmt::format("{} steps are too few for the rescaled linear schedule, whose last "
                                  "beta, 1000/T * diffusion.beta_end, would be {:.4g}; expected below 1",
                                  options.timesteps, last),
                      fmt::format("take more than {} steps, \"rescale\": false, or another schedule",
                                  static_cast<int64_t>(1000.0 * options.beta_end)));
    } else if (uses_range && options.beta_end >= 1) {
        key_error("diffusion.beta_end", fmt::format("{}; expected below 1", options.beta_end));
    }
    // Only a schedule whose betas do not shrink with T can fail this check.
    double log_alpha_bar = 0;
    for (const double beta : noise_schedule_rule(options.schedule).betas(options)) log_alpha_bar += std::log1p(-beta);
    if (std::exp(log_alpha_bar / 2) < std::numeric_limits<float>::min())
        key_error("diffusion.timesteps",
                  fmt::format("{} steps are too many for this {} schedule: sqrt(alphas_cumprod) falls "
                              "to 0 in float32 before the last one",
                              options.timesteps, options.schedule),
                  "take fewer steps, smaller betas, or a schedule that fits itself to the number of steps, like cosine");
    if (options.zero_terminal_snr && options.prediction_type == "epsilon")
        key_error("diffusion.prediction_type",
                  "\"epsilon\" does not go with diffusion.zero_terminal_snr, because the image "
                  "can't be told from the noise where only noise is left; expected v_prediction or sample");
}

}  // namespace ddpm
