#include "ddpm/sampling/denoiser.h"

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm {

void check_prediction_at(const NoiseLevel& level, PredictionType type) {
    if (type == PredictionType::epsilon && level.alpha == 0)
        user_error(
            "sampling: a network that predicts epsilon can't start from zero terminal SNR; expected one that "
            "predicts v or the sample");
}

Prediction NetworkDenoiser::predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const {
    check_prediction_at(level, prediction_type_);
    // t is made on the device of x_t: a transfer to a GPU would wait for the step before.
    const at::Tensor t = at::full({x_t.size(0)}, level.t, x_t.options().dtype(at::kFloat));
    const at::Tensor answer = network_(x_t, t, y), output = answer.to(x_t.scalar_type());
    std::vector<int64_t> expected = x_t.sizes().vec();
    if (predicts_variance_) expected[1] *= 2;
    if (output.sizes() != expected)
        runtime_failure(c10::str("sampling: the network answers ", output.sizes(), " to ", x_t.sizes()));
    const at::Tensor model_output = predicts_variance_ ? output.chunk(2, 1)[0] : output;
    const X0AndEps read = read_prediction(level, prediction_type_, x_t, model_output);
    // One of the two may lie in the network's own memory.
    const auto owned = [&](const at::Tensor& tensor) { return tensor.is_alias_of(answer) ? tensor.clone() : tensor; };
    Prediction prediction{owned(read.pred_x0), owned(read.pred_eps), std::nullopt};
    if (predicts_variance_) prediction.variance_fraction = (output.chunk(2, 1)[1] + 1) / 2;
    return prediction;
}

Prediction ClippedDenoiser::predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const {
    Prediction prediction = inner_.predict(x_t, level, y);
    prediction.pred_x0 = prediction.pred_x0.clamp(-range_, range_);
    if (eps_ == ClippedEps::rederived) prediction.pred_eps = eps_from_x0(level, x_t, prediction.pred_x0);
    return prediction;
}

Prediction ThresholdedDenoiser::predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const {
    Prediction prediction = inner_.predict(x_t, level, y);
    const at::Tensor x0 = prediction.pred_x0.flatten(1);
    const at::Tensor q = at::quantile(x0.abs(), thresholding_.ratio, 1, true).clamp(1, thresholding_.max);
    prediction.pred_x0 = (x0.clamp(-q, q) / q).view_as(prediction.pred_x0);
    if (eps_ == ClippedEps::rederived) prediction.pred_eps = eps_from_x0(level, x_t, prediction.pred_x0);
    return prediction;
}

}  // namespace ddpm
