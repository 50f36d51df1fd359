#pragma once

#include <functional>
#include <optional>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/level.h"
#include "ddpm/diffusion/prediction.h"

namespace ddpm {

// A network as the sampler sees it: x_t [N,…]; t [N] float32 on x_t's device, all entries equal: NoiseLevel::t, in the T
// that the network was trained with; y [N] int64 or undefined → its output, shaped like x_t, or with twice its channels
// where it predicts a variance. The output may lie in memory that the next call overwrites, as that of a recording does:
// who keeps it copies it.
using Network = std::function<at::Tensor(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y)>;

// The tensors belong to whoever asked: no later call changes them.
struct Prediction {
    at::Tensor pred_x0;                           // x̂_0, shaped like x_t
    at::Tensor pred_eps;                          // ε̂; x_t = α·x̂_0 + σ·ε̂
    std::optional<at::Tensor> variance_fraction;  // f of learned_range_log_variance, where the network predicts one
};

// What samplers ask. Clipping and the like wrap one denoiser into another, so that each works with every sampler.
class Denoiser {
public:
    virtual ~Denoiser() = default;
    // x_t [N,…] at `level`, which is not the clean one; y [N] int64 or undefined.
    virtual Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const = 0;
};

// The network: the prediction type is settled here, and so is the variance when the network predicts one
// (VarianceType::learned_range). A wrong shape of an answer is a runtime_failure.
class NetworkDenoiser : public Denoiser {
public:
    NetworkDenoiser(Network network, PredictionType prediction_type, bool predicts_variance = false)
        : network_(std::move(network)), prediction_type_(prediction_type), predicts_variance_(predicts_variance) {}

    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override;

private:
    Network network_;
    PredictionType prediction_type_;
    bool predicts_variance_;
};

// A network that predicts ε says nothing of x_0 where only noise is left, at zero terminal SNR: user_error. predict()
// asks this for its level; whoever works long before it comes to that level asks at once.
void check_prediction_at(const NoiseLevel& level, PredictionType type);

// What to do with ε̂ after clipping x̂_0. rederived keeps x_t = α·x̂_0 + σ·ε̂, without which DDIM with η = 1 is not the
// ancestral sampler; raw leaves the network's, as diffusers does by default.
enum class ClippedEps { rederived, raw };

// x̂_0 clipped to [−range, range].
class ClippedDenoiser : public Denoiser {
public:
    // `inner` must outlive this. range > 0.
    ClippedDenoiser(const Denoiser& inner, double range, ClippedEps eps) : inner_(inner), range_(range), eps_(eps) {}

    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override;

private:
    const Denoiser& inner_;
    double range_;
    ClippedEps eps_;
};

}  // namespace ddpm
