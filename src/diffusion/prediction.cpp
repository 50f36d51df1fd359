#include "ddpm/diffusion/prediction.h"

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

at::Tensor alpha_t(const NoiseSchedule& schedule, const at::Tensor& t, const at::Tensor& like) {
    return schedule.sqrt_alphas_cumprod().gather(t, like);
}

at::Tensor sigma_t(const NoiseSchedule& schedule, const at::Tensor& t, const at::Tensor& like) {
    return schedule.sqrt_one_minus_alphas_cumprod().gather(t, like);
}

}  // namespace

at::Tensor x0_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                       const at::Tensor& eps) {
    return (x_t - sigma_t(schedule, t, x_t) * eps) / alpha_t(schedule, t, x_t);
}

at::Tensor x0_from_v(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& v) {
    return alpha_t(schedule, t, x_t) * x_t - sigma_t(schedule, t, x_t) * v;
}

at::Tensor eps_from_x0(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                       const at::Tensor& x0) {
    return (x_t - alpha_t(schedule, t, x_t) * x0) / sigma_t(schedule, t, x_t);
}

at::Tensor eps_from_v(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& v) {
    return alpha_t(schedule, t, x_t) * v + sigma_t(schedule, t, x_t) * x_t;
}

at::Tensor v_from_x0(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& x0) {
    return (alpha_t(schedule, t, x_t) * x_t - x0) / sigma_t(schedule, t, x_t);
}

at::Tensor v_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                      const at::Tensor& eps) {
    return (eps - sigma_t(schedule, t, x_t) * x_t) / alpha_t(schedule, t, x_t);
}

at::Tensor velocity(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& t,
                    const at::Tensor& noise) {
    return alpha_t(schedule, t, x_start) * noise - sigma_t(schedule, t, x_start) * x_start;
}

X0AndEps read_prediction(const NoiseSchedule& schedule, PredictionType type, const at::Tensor& x_t, const at::Tensor& t,
                         const at::Tensor& model_output) {
    switch (type) {
        case PredictionType::epsilon:
            return {x0_from_eps(schedule, x_t, t, model_output), model_output};
        case PredictionType::sample:
            return {model_output, eps_from_x0(schedule, x_t, t, model_output)};
        case PredictionType::v_prediction:
            return {x0_from_v(schedule, x_t, t, model_output), eps_from_v(schedule, x_t, t, model_output)};
    }
    runtime_failure("prediction type: not one of the enumeration");
}

}  // namespace ddpm
