#pragma once

#include <functional>
#include <limits>
#include <optional>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/level.h"
#include "ddpm/diffusion/prediction.h"

namespace ddpm {

// A network as the sampler sees it: x_t [N,…]; t [N] float32 on x_t's device, all entries equal: NoiseLevel::t, in the T
// that the network was trained with; y [N] int64 or undefined → its output, shaped like x_t, or with twice its channels
// if it predicts a variance. The output may lie in memory that the next call overwrites, as that of a recording does: copy
// it to keep it.
using Network = std::function<at::Tensor(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y)>;

// What a denoiser answers. The tensors belong to the caller: no later call changes them.
struct Prediction {
    at::Tensor pred_x0;                           // x̂_0, shaped like x_t
    at::Tensor pred_eps;                          // ε̂; x_t = α·x̂_0 + σ·ε̂
    std::optional<at::Tensor> variance_fraction;  // f of learned_range_log_variance, if the network predicts one
};

// Estimates x_0 and ε for a sampler. Clipping and the like wrap one denoiser into another, so that each works with every
// sampler.
class Denoiser {
public:
    virtual ~Denoiser() = default;
    // x_t [N,…] at `level`, which is not the clean one; y [N] int64 or undefined.
    virtual Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const = 0;
};

// Asks a network and reads its output by the prediction type. With `predicts_variance` (VarianceType::learned_range) the
// second half v of the output's channels gives the variance fraction, (v + 1)/2. An output of a wrong shape is a
// runtime_failure, and a level that check_prediction_at refuses a user_error.
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

// Throws a user_error for a network that predicts ε at zero terminal SNR: where only noise is left, ε says nothing about
// x_0. predict() checks its level; a caller that works long before it reaches such a level should check at once.
void check_prediction_at(const NoiseLevel& level, PredictionType type);

// What to do with ε̂ after x̂_0 was clipped. rederived computes it again, so that x_t = α·x̂_0 + σ·ε̂ holds; otherwise DDIM
// with η = 1 is not the ancestral sampler. raw leaves the network's ε̂, as diffusers does by default.
enum class ClippedEps { rederived, raw };

// Clips the x̂_0 of another denoiser to [−range, range].
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

// Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3): q is the `ratio` quantile of |x̂_0| of each image,
// linear between its values, and at least 1 and at most `max`; x̂_0 ← clip(x̂_0, ±q)/q.
struct Thresholding {
    double ratio = 0.995;                                  // above 0, at most 1
    double max = std::numeric_limits<double>::infinity();  // with 1 it is clipping to [−1, 1]
};

class ThresholdedDenoiser : public Denoiser {
public:
    // `inner` must outlive this.
    ThresholdedDenoiser(const Denoiser& inner, const Thresholding& thresholding, ClippedEps eps)
        : inner_(inner), thresholding_(thresholding), eps_(eps) {}

    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override;

private:
    const Denoiser& inner_;
    Thresholding thresholding_;
    ClippedEps eps_;
};

}  // namespace ddpm
