#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "ddpm/pipeline/edit.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/noise.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

namespace pipeline {
class Evaluator;
class Guide;
}  // namespace pipeline

// Noise that is given instead of sampled from a seed, so that two programs can be compared picture by picture. All of
// it is float32; an undefined tensor is sampled.
struct GivenNoise {
    at::Tensor x_T;    // [N,C,H,W]
    at::Tensor steps;  // [S,N,C,H,W], of every step from the noisy end on (steps_taken() of them, with an edit)

    // Returns the noise of the steps for images first … first + count − 1. `steps` must be there.
    NoiseSource step_noise(int64_t first, int64_t count) const;
};

struct SessionOptions {
    SampleOptions sample{};  // unset members take the model's own settings
    uint64_t seed = 0;
    std::optional<int64_t> label{};  // of every picture; unset: the labels in turn, if the model has classes
    std::string precision = "fp32";  // or "bf16"
    GivenNoise noise{};
    Edit edit{};
    // The network that guides in the place of the model's own with the empty label (ddpm/sampling/guidance.h); needs a scale. It must
    // have the model's prediction type, schedule, pictures and device, and its labels or none.
    std::optional<Model> guide{};
};

// Settles how a model will be sampled from. These are user_errors: what resolve_sampling refuses, a variance that the
// network does not predict, times that its embedding can't take, guidance without an empty label and a `guide` that does not
// fit (its key is "guide"). `from_picture`: as there.
ResolvedSampling settle_sampling(const Model& model, const SampleOptions& asked, const Model* guide = nullptr,
                                 bool from_picture = false);

// Returns x_T of pictures first … first + count − 1 as a Session with this seed draws it, [count,C,H,W] float32 on the model's
// device.
at::Tensor drawn_start(const Model& model, uint64_t seed, int64_t first, int64_t count);

// Throws a user_error about the key of `sample` that asks for a t between whole numbers, if the embedding has none: "learned".
void check_whole_times(const ResolvedSampling& settings, const std::string& time_embedding_type);

// Samples from one model in one way. It computes once what does not change: the conditions of the times and, on a GPU,
// a working copy of the network and the recording of a pass. Only one thread may use it at a time. The network must not
// change while it is in use.
class Session {
public:
    // Throws settle_sampling's user_errors, and one for a label that the network (or the guide) has no row for, or that guidance by
    // the empty label would not change (the empty one itself), or an edit that begun_at() or check() refuses.
    explicit Session(Model model, SessionOptions options = {});
    ~Session();
    Session(Session&&) noexcept;

    // Samples pictures first … first + count − 1. Returns [count,C,H,W] float32 on the CPU, in [−1, 1] but not clamped;
    // the caller owns it. Picture i depends on (seed, i) alone and not on the rest of its batch.
    at::Tensor sample(int64_t first, int64_t count, const StepCallback& on_step = {});

    // Encodes pictures, [N,C,H,W] float32 in [−1, 1], whose labels are those of samples first … first + N − 1: DDIM inversion
    // (ddpm/sampling/editing.h) along the settings' walk. Returns x_T, [N,C,H,W] float32 on the CPU, which GivenNoise takes. The
    // way back is the sampler ddim without noise and without bounds; user_error: the settings are another sampler's, add noise, or guide.
    at::Tensor encode(const at::Tensor& pictures, int64_t first, int64_t evaluations = 1,
                      const std::function<void(int64_t done)>& after_step = {});

    const Model& model() const { return model_; }
    // Of the walk that is gone through: with an edit that begins in the middle, the cut one.
    const ResolvedSampling& settings() const { return settings_; }
    const Model* guide() const { return options_.guide ? &*options_.guide : nullptr; }
    // Returns the label of picture `index`, −1 if the model has no classes.
    int64_t label_of(int64_t index) const;

private:
    at::Tensor labels(int64_t first, int64_t count) const;  // [count] int64 on the model's device; undefined without classes

    Model model_;
    SessionOptions options_;
    ResolvedSampling settings_;
    std::unique_ptr<pipeline::Evaluator> evaluator_;
    std::unique_ptr<pipeline::Guide> guide_;  // null: no guidance
};

}  // namespace ddpm
