#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include "ddpm/nn/options.h"
#include "nn/attention.h"
#include "nn/resnet_block.h"

namespace ddpm::nn {

// Registers `modules` as a list, so that their parameters are called name.0.…, name.1.… An empty list is not
// registered.
template <class Module>
void register_list(torch::nn::Module& owner, const std::string& name, const std::vector<std::shared_ptr<Module>>& modules) {
    if (modules.empty()) return;
    torch::nn::ModuleList list;
    for (const auto& module : modules) list->push_back(module);
    owner.register_module(name, list);
}

// Points to the condition (ResnetBlock::condition) of the next resnet, which takes it and advances this by one.
using NextCondition = std::vector<at::Tensor>::const_iterator;

// Halves height and width by a convolution of stride 2.
class Downsample : public torch::nn::Module {
public:
    Downsample(int64_t channels, int64_t padding);
    at::Tensor forward(const at::Tensor& x);

private:
    int64_t padding_;
    torch::nn::Conv2d conv_;
};

// Doubles height and width: nearest neighbour, then a convolution.
class Upsample : public torch::nn::Module {
public:
    Upsample(int64_t channels, const Kernels& kernels);
    at::Tensor forward(const at::Tensor& x);

private:
    const Kernels* kernels_;
    torch::nn::Conv2d conv_;
};

// One level on the way down: layers_per_block × (resnet, [attention]), then a downsampler, except at the last level.
class DownBlock : public torch::nn::Module {
public:
    DownBlock(const UNetConfig& config, int64_t level, const Kernels& kernels);

    // Appends every result, the downsampled one too, to `skips` and returns the last. Gradients keep all that lies
    // between the inputs and the result of each resnet and its attention, or only the inputs if `sparing`
    // (recompute.h).
    at::Tensor forward(at::Tensor hidden, NextCondition& conditions, std::vector<at::Tensor>& skips, bool sparing);

    std::vector<ResnetBlock*> resnets() const;  // in the order in which they run

private:
    std::vector<std::shared_ptr<ResnetBlock>> resnets_;
    std::vector<std::shared_ptr<Attention>> attentions_;  // empty, or one for each resnet
    std::shared_ptr<Downsample> downsample_;              // at most one of these two
    std::shared_ptr<ResnetBlock> resnet_downsample_;
};

// Resnet, [attention], resnet at the coarsest level.
class MidBlock : public torch::nn::Module {
public:
    MidBlock(const UNetConfig& config, const Kernels& kernels);
    at::Tensor forward(const at::Tensor& hidden, NextCondition& conditions, bool sparing);

    std::vector<ResnetBlock*> resnets() const;

private:
    std::vector<std::shared_ptr<ResnetBlock>> resnets_;
    std::shared_ptr<Attention> attention_;
};

// One level on the way up: (layers_per_block + 1) × (resnet of [hidden, skip], [attention]), then an upsampler, except
// at the last level. `index` 0 is the coarsest level.
class UpBlock : public torch::nn::Module {
public:
    UpBlock(const UNetConfig& config, int64_t index, const Kernels& kernels);

    // Takes its skips off the end of `skips`.
    at::Tensor forward(at::Tensor hidden, NextCondition& conditions, std::vector<at::Tensor>& skips, bool sparing);

    std::vector<ResnetBlock*> resnets() const;  // in the order in which they run

private:
    std::vector<std::shared_ptr<ResnetBlock>> resnets_;
    std::vector<std::shared_ptr<Attention>> attentions_;
    std::shared_ptr<Upsample> upsample_;
    std::shared_ptr<ResnetBlock> resnet_upsample_;
};

}  // namespace ddpm::nn
