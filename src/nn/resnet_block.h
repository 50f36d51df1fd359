#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "ddpm/kernels/kernels.h"
#include "nn/activation.h"

namespace ddpm::nn {

enum class Resample { none, down, up };

struct ResnetOptions {
    int64_t in_channels = 0;
    int64_t out_channels = 0;
    int64_t time_width = 0;
    int64_t norm_groups = 32;
    double norm_eps = 1e-5;
    double dropout = 0;
    double scale_factor = 1;   // the result is divided by this
    bool scale_shift = false;  // the time embedding scales and shifts norm2's result instead of being added before it
    Activation act;
    const Kernels* kernels = &plain_kernels();
    Resample resample = Resample::none;
};

// Computes norm1, act, [resample], conv1, + time, norm2, act, dropout, conv2, and adds the input, [resampled], through
// a 1×1 convolution where the channels differ.
class ResnetBlock : public torch::nn::Module {
public:
    explicit ResnetBlock(const ResnetOptions& options);

    // Maps times to this block's condition. `time` is [N, time_width], the embedding after `act`, which is the same for
    // every block. Returns [N, out], or [N, 2·out] under scale_shift.
    at::Tensor condition(const at::Tensor& time) { return time_emb_proj_(time); }

    // What the masks of dropout follow from until the next call: one seed an example ([N] int64, on the device of x) and the
    // number of this block in its network (dropout_mask in ddpm/kernels/noise.h). Undefined, as at first: LibTorch's generator.
    void set_dropout_seeds(const at::Tensor& seeds, int64_t layer) {
        dropout_seeds_ = seeds;
        layer_ = layer;
    }

    // x: [N, in, H, W]. condition: that of N times, or of one for all. Returns [N, out, H', W'], H' = H, H/2 or 2·H.
    at::Tensor forward(const at::Tensor& x, const at::Tensor& condition);

private:
    at::Tensor drop(const at::Tensor& x) const;
    // Returns act(norm(x)), where `more` holds what the time embedding adds.
    at::Tensor normalize(const torch::nn::GroupNorm& norm, const at::Tensor& x, const NormArguments& more = {});
    NormArguments arguments_of(const torch::nn::GroupNorm& norm, NormArguments arguments = {}) const;

    ResnetOptions options_;
    at::Tensor dropout_seeds_;
    int64_t layer_ = 0;
    torch::nn::GroupNorm norm1_, norm2_;
    torch::nn::Conv2d conv1_, conv2_, conv_shortcut_{nullptr};
    torch::nn::Linear time_emb_proj_;
};

// Takes the mean of 2×2 pixels.
at::Tensor halve(const at::Tensor& x);
// Makes 2×2 pixels of every pixel.
at::Tensor enlarge_twice(const at::Tensor& x);

}  // namespace ddpm::nn
