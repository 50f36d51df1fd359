#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/noise.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

class Evaluator;

// Noise that is given instead of drawn from a seed, so that two programs can be compared picture by picture. float32.
struct GivenNoise {
    at::Tensor x_T;                   // [N,C,H,W]
    std::optional<at::Tensor> steps;  // of every step, [S,N,C,H,W], counted from the noisy end; else from the seed

    // The noise of the steps for images first … first + count − 1. Only where `steps` is there.
    NoiseSource step_noise(int64_t first, int64_t count) const;
};

struct SessionOptions {
    SampleOptions sample{};            // what is asked for; where it is silent the model's own settings hold
    uint64_t seed = 0;
    std::optional<int64_t> label{};    // of every picture; else the labels in turn, where the model has classes
    std::string precision = "fp32";    // or "bf16"
    std::optional<GivenNoise> noise{};
};

// How a model will be sampled from. user_error: what resolve_sampling refuses, a variance that the network does not
// predict, times that its embedding can't be asked for.
ResolvedSampling settle_sampling(const Model& model, const SampleOptions& asked);

// Samples from one model in one way. It keeps what can be computed once: the conditions of the times, on a GPU a working
// copy of the network and the recording of a pass. For one thread at a time. The network must not change meanwhile.
class Session {
public:
    explicit Session(Model model, SessionOptions options = {});  // user_error: settle_sampling's
    ~Session();
    Session(Session&&) noexcept;

    // Pictures first … first + count − 1 as [count,C,H,W] float32 on the CPU, in [−1, 1] but not clamped; the caller owns
    // them. Picture i follows from (seed, i) alone, whatever comes with it in a batch.
    at::Tensor sample(int64_t first, int64_t count, const StepCallback& on_step = {});

    const Model& model() const { return model_; }
    const ResolvedSampling& settings() const { return settings_; }
    // The label of picture `index`; −1 where the model has none.
    int64_t label_of(int64_t index) const;

private:
    Model model_;
    SessionOptions options_;
    ResolvedSampling settings_;
    std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace ddpm
