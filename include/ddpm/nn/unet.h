#pragma once

#include <memory>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>

#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/options.h"

namespace ddpm {

namespace nn {
class TimeProjection;
class EmbeddingMlp;
class ClassEmbedding;
class DownBlock;
class ResnetBlock;
class MidBlock;
class UpBlock;
}  // namespace nn

// The U-Net of "Denoising Diffusion Probabilistic Models" (arXiv 2006.11239) in the form of diffusers' UNet2DModel.
// Parameters have diffusers' names (`down_blocks.0.resnets.0.norm1.weight`) and shapes, and the numerics are the same.
// The network takes a time t and a label y; what they mean (betas, prediction type, guidance) is decided by its
// callers.
class UNet2D : public torch::nn::Module {
public:
    explicit UNet2D(const UNetConfig& config, const Kernels& kernels = plain_kernels());
    ~UNet2D() override;

    // x_t: [N, in_channels, H, W], H and W multiples of config().size_divisor().
    // t:   [N] int64 or floating point; float32 holding whole numbers gives the bits of int64. Fourier times need t > 0,
    // a learned embedding whole t.
    // y:   [N] int64 for a network with classes ([N, D] floating point for class_embed_type "identity"), else
    // undefined. Returns [N, out_channels, H, W] in the dtype of the weights (the autocast dtype under autocast).
    // Shapes that don't fit are a runtime_failure.
    at::Tensor forward(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y = {});

    // Computes everything that the network needs of times and labels, t and y as above. The result has a tensor of N
    // rows for each resnet, in the order in which they run. Sampling computes it once for all its times.
    std::vector<at::Tensor> conditions(const at::Tensor& t, const at::Tensor& y = {});

    // Returns the same as forward(x_t, t, y), from the conditions of N times or of one for all images. It is not for
    // Fourier times, because it does not divide the result by t.
    at::Tensor forward(const at::Tensor& x_t, const std::vector<at::Tensor>& conditions);

    // If on, gradients recompute what lies inside a resnet and its attention instead of keeping it. This costs a third
    // more arithmetic and needs a fraction of the memory (diffusers: enable_gradient_checkpointing).
    void set_gradient_checkpointing(bool on) { recomputes_ = on; }

    // One seed an example ([N] int64, on the network's device), from which dropout's masks in training follow from now on, whatever
    // batch the example stands in and whatever the device; gradients must be taken before the next call. Undefined, as at
    // first: the masks come from LibTorch's generator.
    void set_dropout_seeds(const at::Tensor& seeds);

    const UNetConfig& config() const { return config_; }
    const Kernels& kernels() const { return *kernels_; }

private:
    at::Tensor embed(const at::Tensor& t, const at::Tensor& y);

    UNetConfig config_;
    const Kernels* kernels_;
    bool recomputes_ = false;
    std::shared_ptr<nn::TimeProjection> time_proj_;
    std::shared_ptr<nn::EmbeddingMlp> time_embedding_;
    std::shared_ptr<nn::ClassEmbedding> class_embedding_;  // null without classes
    torch::nn::Conv2d conv_in_{nullptr}, conv_out_{nullptr};
    torch::nn::GroupNorm conv_norm_out_{nullptr};
    std::vector<std::shared_ptr<nn::DownBlock>> down_blocks_;
    std::shared_ptr<nn::MidBlock> mid_block_;  // null when the configuration says so
    std::vector<std::shared_ptr<nn::UpBlock>> up_blocks_;
    std::vector<nn::ResnetBlock*> resnets_;  // of all blocks, in the order in which they run
};

// Moves the weights to `device`, in the memory format that the network's kernels want there.
void move_to(UNet2D& network, const c10::Device& device);

// Returns how many numbers all parameters have together.
int64_t count_parameters(const torch::nn::Module& module);

}  // namespace ddpm
