#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/guidance.h"
#include "ddpm/sampling/sampler.h"
#include "pipeline/evaluator.h"

namespace ddpm::pipeline {

// Throws a user_error for guidance that these models can't do: no empty label and no `guide`; a guide without a scale; a guide that
// differs from the model in its prediction type, schedule, pictures, labels or device.
void check_guidance(const Guidance& guidance, const Model& model, const Model* guide);

// How a session guides: which networks it asks, and in how many passes.
class Guide {
public:
    // check_guidance has let them through. `evaluator` is the model's and must outlive this.
    Guide(const Model& model, const Model* guide, const ResolvedSampling& settings, const std::string& precision,
          Evaluator& evaluator);

    // Returns the guided network for batches of `count` pictures. This must outlive it.
    Network network(int64_t count);

private:
    // fits_one_batch, for `count` passes of one picture. The first call measures such a pass, and what is available before it.
    bool one_batch(int64_t count);

    Guidance guidance_;
    Evaluator& evaluator_;
    std::optional<int64_t> empty_label_;
    std::vector<int64_t> one_picture_;  // its shape, [1,C,H,W]
    c10::Device device_;
    double t_;  // of the first level
    std::optional<int64_t> pass_of_one_, available_;

    // Only where another network guides.
    std::shared_ptr<UNet2D> guide_;
    std::unique_ptr<Evaluator> guide_evaluator_;
};

}  // namespace ddpm::pipeline
