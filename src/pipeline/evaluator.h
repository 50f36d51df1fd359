#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/core/runtime.h"
#include "ddpm/kernels/recording.h"
#include "ddpm/nn/unet.h"
#include "ddpm/nn/working_copy.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::pipeline {

// A network as samplers call it: without gradients, and with one time for all pictures of a batch. It is a Network
// (ddpm/sampling/denoiser.h); on a GPU its answer is memory that the next call overwrites.
class Evaluator {
public:
    // `levels` hold every t that it will be called with. `network` must outlive this, its weights unchanged.
    Evaluator(UNet2D& network, const c10::Device& device, const std::string& precision, const std::vector<NoiseLevel>& levels);

    at::Tensor operator()(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y);

private:
    // A recording for batches of one size, and the tensors that it reads and writes.
    struct Recorded {
        at::Tensor x_t, t, y, answer;
        std::optional<Recording> recording{};
    };

    PrecisionGuard guard() const;
    at::Tensor evaluate(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y);
    Recorded& recorded_for(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y);

    UNet2D& network_;
    c10::Device device_;
    std::string precision_;
    std::unique_ptr<WorkingCopy> copy_;  // on a GPU
    at::Tensor times_, conditions_;      // float32: [times], [times, Σ widths]
    std::vector<int64_t> widths_;
    std::list<Recorded> recorded_;  // the one that was used last comes first
};

}  // namespace ddpm::pipeline
