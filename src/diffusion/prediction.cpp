#include "ddpm/diffusion/prediction.h"

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

// a_t and σ_t, to multiply an x_t.
struct Coefficients {
    at::Tensor alpha, sigma;

    at::Tensor x0_from_eps(const at::Tensor& x_t, const at::Tensor& eps) const { return (x_t - sigma * eps) / alpha; }
    at::Tensor x0_from_v(const at::Tensor& x_t, const at::Tensor& v) const { return alpha * x_t - sigma * v; }
    at::Tensor eps_from_x0(const at::Tensor& x_t, const at::Tensor& x0) const { return (x_t - alpha * x0) / sigma; }
    at::Tensor eps_from_v(const at::Tensor& x_t, const at::Tensor& v) const { return alpha * v + sigma * x_t; }
    at::Tensor v_from_x0(const at::Tensor& x_t, const at::Tensor& x0) const { return (alpha * x_t - x0) / sigma; }
    at::Tensor v_from_eps(const at::Tensor& x_t, const at::Tensor& eps) const { return (eps - sigma * x_t) / alpha; }

    X0AndEps read(PredictionType type, const at::Tensor& x_t, const at::Tensor& model_output) const {
        switch (type) {
            case PredictionType::epsilon:
                return {x0_from_eps(x_t, model_output), model_output};
            case PredictionType::sample:
                return {model_output, eps_from_x0(x_t, model_output)};
            case PredictionType::v_prediction:
                return {x0_from_v(x_t, model_output), eps_from_v(x_t, model_output)};
        }
        runtime_failure("prediction type: not one of the enumeration");
    }
};

Coefficients coefficients(const NoiseSchedule& schedule, const at::Tensor& t, const at::Tensor& like) {
    return {schedule.sqrt_alphas_cumprod().gather(t, like), schedule.sqrt_one_minus_alphas_cumprod().gather(t, like)};
}

// Returns tensors on the device of x_t, not numbers: on a GPU LibTorch divides by a number by multiplying with its inverse.
Coefficients coefficients(const NoiseLevel& level, const at::Tensor& like) {
    const std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
    return {at::full(shape, level.alpha, like.options()), at::full(shape, level.sigma, like.options())};
}

}  // namespace

at::Tensor x0_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& eps) {
    return coefficients(schedule, t, x_t).x0_from_eps(x_t, eps);
}

at::Tensor x0_from_v(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& v) {
    return coefficients(schedule, t, x_t).x0_from_v(x_t, v);
}

at::Tensor eps_from_x0(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& x0) {
    return coefficients(schedule, t, x_t).eps_from_x0(x_t, x0);
}

at::Tensor eps_from_v(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& v) {
    return coefficients(schedule, t, x_t).eps_from_v(x_t, v);
}

at::Tensor v_from_x0(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& x0) {
    return coefficients(schedule, t, x_t).v_from_x0(x_t, x0);
}

at::Tensor v_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& eps) {
    return coefficients(schedule, t, x_t).v_from_eps(x_t, eps);
}

at::Tensor velocity(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise) {
    const Coefficients c = coefficients(schedule, t, x_start);
    return c.alpha * noise - c.sigma * x_start;
}

X0AndEps read_prediction(const NoiseSchedule& schedule, PredictionType type, const at::Tensor& x_t, const at::Tensor& t,
                         const at::Tensor& model_output) {
    return coefficients(schedule, t, x_t).read(type, x_t, model_output);
}

X0AndEps read_prediction(const NoiseLevel& level, PredictionType type, const at::Tensor& x_t, const at::Tensor& model_output) {
    return coefficients(level, x_t).read(type, x_t, model_output);
}

at::Tensor eps_from_x0(const NoiseLevel& level, const at::Tensor& x_t, const at::Tensor& x0) {
    return coefficients(level, x_t).eps_from_x0(x_t, x0);
}

}  // namespace ddpm
