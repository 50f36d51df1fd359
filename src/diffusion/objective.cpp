#include "ddpm/diffusion/objective.h"

#include <ATen/ATen.h>

#include "ddpm/core/error.h"
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

Objective::Judged Objective::judge(const Model& model, const at::Tensor& x_start, const at::Tensor& t,
                                   const at::Tensor& noise) const {
    const at::Tensor model_output = model(q_sample(schedule_, x_start, t, noise));
    const at::Tensor mse = mse_per_example(model_output, training_target(schedule_, type_, x_start, t, noise));
    return {mse, mse};
}

}  // namespace ddpm
