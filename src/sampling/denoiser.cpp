#include "ddpm/sampling/denoiser.h"

#include <ATen/ATen.h>

#include "ddpm/core/error.h"
#include "ddpm/diffusion/posterior.h"

namespace ddpm {

namespace {

// Where x_t is: made there, it needs no transfer, which on a GPU would wait for the step before.
at::Tensor everywhere(int64_t t, const at::Tensor& x_t) {
    return at::full({x_t.size(0)}, t, x_t.options().dtype(at::kLong));
}

}  // namespace

NetworkDenoiser::NetworkDenoiser(Network network, NoiseSchedule schedule, PredictionType prediction_type,
                                 bool predicts_variance)
    : network_(std::move(network)),
      schedule_(std::move(schedule)),
      prediction_type_(prediction_type),
      predicts_variance_(predicts_variance) {
    if (prediction_type == PredictionType::epsilon && schedule_.sqrt_alphas_cumprod().back() == 0)
        user_error(
            "sampling: a network that predicts epsilon can't start from zero terminal SNR; expected one that "
            "predicts v or the sample");
}

Prediction NetworkDenoiser::predict(const at::Tensor& x_t, int64_t t, const at::Tensor& y) const {
    const at::Tensor original_t = everywhere(schedule_.original_t()[t], x_t);
    const at::Tensor output = network_(x_t, original_t, y).to(x_t.scalar_type());
    std::vector<int64_t> expected = x_t.sizes().vec();
    if (predicts_variance_) expected[1] *= 2;
    if (output.sizes() != expected)
        runtime_failure(c10::str("sampling: the network answers ", output.sizes(), " to ", x_t.sizes()));
    const at::Tensor model_output = predicts_variance_ ? output.chunk(2, 1)[0] : output;
    const X0AndEps read = read_prediction(schedule_, prediction_type_, x_t, everywhere(t, x_t), model_output);
    Prediction prediction{read.pred_x0, read.pred_eps, std::nullopt};
    if (predicts_variance_) prediction.log_variance = learned_range_log_variance(schedule_, output.chunk(2, 1)[1], t);
    return prediction;
}

Prediction ClippedDenoiser::predict(const at::Tensor& x_t, int64_t t, const at::Tensor& y) const {
    Prediction prediction = inner_.predict(x_t, t, y);
    prediction.pred_x0 = prediction.pred_x0.clamp(-range_, range_);
    if (eps_ == ClippedEps::rederived)
        prediction.pred_eps = eps_from_x0(schedule(), x_t, everywhere(t, x_t), prediction.pred_x0);
    return prediction;
}

}  // namespace ddpm
