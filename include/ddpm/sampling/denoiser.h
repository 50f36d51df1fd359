#pragma once

#include <functional>
#include <optional>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"

namespace ddpm {

// A network as the sampler sees it: x_t [N,…], t [N] int64 on x_t's device (0 … T−1 of the schedule it was trained
// with), y [N] int64 or undefined → its output, shaped like x_t, or with twice its channels where it predicts a variance.
using Network = std::function<at::Tensor(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y)>;

struct Prediction {
    at::Tensor pred_x0;                      // x̂_0, shaped like x_t
    at::Tensor pred_eps;                     // ε̂; x_t = a_t·x̂_0 + σ_t·ε̂
    std::optional<at::Tensor> log_variance;  // ln Σ_θ of the ancestral step, where the network knows it
};

// What samplers ask. Clipping and the like wrap one denoiser into another, so that each works with every sampler.
class Denoiser {
public:
    virtual ~Denoiser() = default;
    // The chain to be walked; its t is an index into this schedule, respaced or not.
    virtual const NoiseSchedule& schedule() const = 0;
    virtual Prediction predict(const at::Tensor& x_t, int64_t t, const at::Tensor& y) const = 0;
};

// The network over a schedule: the prediction type is settled here, and so is the variance when the network predicts
// one (VarianceType::learned_range, over the schedule to be walked). The network is given schedule.original_t()[t].
class NetworkDenoiser : public Denoiser {
public:
    // A network that predicts ε can't begin at zero terminal SNR: user_error.
    NetworkDenoiser(Network network, NoiseSchedule schedule, PredictionType prediction_type,
                    bool predicts_variance = false);

    const NoiseSchedule& schedule() const override { return schedule_; }
    Prediction predict(const at::Tensor& x_t, int64_t t, const at::Tensor& y) const override;

private:
    Network network_;
    NoiseSchedule schedule_;
    PredictionType prediction_type_;
    bool predicts_variance_;
};

// What to do with ε̂ after clipping x̂_0. rederived keeps x_t = a_t·x̂_0 + σ_t·ε̂, without which DDIM with η = 1 is not the
// ancestral sampler; raw leaves the network's, as diffusers does by default.
enum class ClippedEps { rederived, raw };

// x̂_0 clipped to [−range, range].
class ClippedDenoiser : public Denoiser {
public:
    // `inner` must outlive this. range > 0.
    ClippedDenoiser(const Denoiser& inner, double range, ClippedEps eps) : inner_(inner), range_(range), eps_(eps) {}

    const NoiseSchedule& schedule() const override { return inner_.schedule(); }
    Prediction predict(const at::Tensor& x_t, int64_t t, const at::Tensor& y) const override;

private:
    const Denoiser& inner_;
    double range_;
    ClippedEps eps_;
};

}  // namespace ddpm
