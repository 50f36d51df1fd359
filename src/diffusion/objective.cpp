#include "ddpm/diffusion/objective.h"

#include <numbers>

#include <ATen/ATen.h>

#include "ddpm/core/error.h"
#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/loss_weighting.h"
#include "ddpm/diffusion/posterior.h"
#include "ddpm/diffusion/process.h"

namespace ddpm {

at::Tensor training_target(const NoiseSchedule& schedule, PredictionType type, const at::Tensor& x_start, const at::Tensor& t,
                           const at::Tensor& noise) {
    switch (type) {
        case PredictionType::epsilon:
            return noise;
        case PredictionType::sample:
            return x_start;
        case PredictionType::v_prediction:
            return velocity(schedule, x_start, t, noise);
    }
    runtime_failure("prediction type: not one of the enumeration");
}

at::Tensor mse_per_example(const at::Tensor& model_output, const at::Tensor& target) {
    const at::ScalarType dtype = at::promote_types(at::kFloat, at::promote_types(model_output.scalar_type(), target.scalar_type()));
    return at::mse_loss(model_output.to(dtype), target.to(dtype), at::Reduction::None).flatten(1).mean(1);
}

Objective::Objective(const NoiseSchedule& schedule, PredictionType type, const LossOptions& loss, VarianceType variance)
    : schedule_(&schedule),
      type_(type),
      learns_variance_(variance == VarianceType::learned_range),
      weights_(loss_weights(loss, type, schedule.levels())) {}

// x̂_0 is not clipped: L_t is the term of the step that the network means.
at::Tensor Objective::variance_loss(const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& x_t,
                                    const at::Tensor& prediction, const at::Tensor& variance) const {
    constexpr double kLambda = 0.001;
    const at::Tensor pred_x0 = read_prediction(*schedule_, type_, x_t, t, prediction.detach().to(x_t.scalar_type())).pred_x0;
    const at::Tensor f = (variance.to(x_t.scalar_type()) + 1) / 2;
    const at::Tensor term = bound_term(*schedule_, t, x_start, x_t, pred_x0, learned_range_log_variance(*schedule_, f, t));
    return kLambda * static_cast<double>(schedule_->size()) / std::numbers::ln2 * term;
}

Objective::Judged Objective::judge(const Model& model, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise,
                                   const at::Tensor& seen_noise) const {
    const at::Tensor x_t = q_sample(*schedule_, x_start, t, seen_noise.defined() ? seen_noise : noise), answer = model(x_t);
    std::vector<int64_t> expected = x_t.sizes().vec();
    if (learns_variance_) expected[1] *= 2;
    if (answer.sizes() != expected)
        runtime_failure(c10::str("training: the network answers ", answer.sizes(), " to ", x_t.sizes(), ", expected ",
                                 at::IntArrayRef(expected)));
    const at::Tensor prediction = learns_variance_ ? answer.chunk(2, 1)[0] : answer;
    const at::Tensor mse = mse_per_example(prediction, training_target(*schedule_, type_, x_start, t, noise));
    const at::Tensor weighted = weights_.gather(t, mse) * mse;
    if (!learns_variance_) return {weighted, mse};
    return {weighted + variance_loss(x_start, t, x_t, prediction, answer.chunk(2, 1)[1]), mse};
}

Objective make_objective(const NoiseSchedule& schedule, const DiffusionOptions& diffusion, const LossOptions& loss) {
    return {schedule, parse_prediction_type(diffusion.prediction_type), loss, parse_variance_type(diffusion.variance_type)};
}

}  // namespace ddpm
