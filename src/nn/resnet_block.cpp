#include "nn/resnet_block.h"

#include <ATen/ATen.h>

#include "ddpm/kernels/noise.h"

namespace ddpm::nn {

namespace {

torch::nn::Conv2d conv3x3(int64_t in, int64_t out) { return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1)); }

torch::nn::GroupNorm norm(const ResnetOptions& options, int64_t channels) {
    return torch::nn::GroupNorm(torch::nn::GroupNormOptions(options.norm_groups, channels).eps(options.norm_eps));
}

}  // namespace

at::Tensor halve(const at::Tensor& x) { return at::avg_pool2d(x, 2, 2); }

at::Tensor enlarge_twice(const at::Tensor& x) { return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}); }

ResnetBlock::ResnetBlock(const ResnetOptions& options)
    : torch::nn::Module("ResnetBlock"),
      options_(options),
      norm1_(norm(options, options.in_channels)),
      norm2_(norm(options, options.out_channels)),
      conv1_(conv3x3(options.in_channels, options.out_channels)),
      conv2_(conv3x3(options.out_channels, options.out_channels)),
      time_emb_proj_(options.time_width, options.out_channels * (options.scale_shift ? 2 : 1)) {
    register_module("norm1", norm1_);
    register_module("conv1", conv1_);
    register_module("time_emb_proj", time_emb_proj_);
    register_module("norm2", norm2_);
    register_module("conv2", conv2_);
    if (options.in_channels != options.out_channels)
        conv_shortcut_ = register_module("conv_shortcut",
                                         torch::nn::Conv2d(torch::nn::Conv2dOptions(options.in_channels, options.out_channels, 1)));
}

at::Tensor ResnetBlock::normalize(const torch::nn::GroupNorm& norm, const at::Tensor& x, const NormArguments& more) {
    const at::Tensor y = options_.kernels->norm(x, arguments_of(norm, more));
    return options_.act.is_silu ? y : options_.act(y);
}

NormArguments ResnetBlock::arguments_of(const torch::nn::GroupNorm& norm, NormArguments arguments) const {
    arguments.weight = norm->weight;
    arguments.bias = norm->bias;
    arguments.groups = options_.norm_groups;
    arguments.eps = options_.norm_eps;
    arguments.silu = options_.act.is_silu;
    return arguments;
}

at::Tensor ResnetBlock::drop(const at::Tensor& x) const {
    if (!dropout_seeds_.defined()) return at::dropout(x, options_.dropout, true);
    return (x * dropout_mask(x, options_.dropout, dropout_seeds_, layer_)).mul_(1 / (1 - options_.dropout));
}

at::Tensor ResnetBlock::forward(const at::Tensor& x, const at::Tensor& condition) {
    at::Tensor shortcut = x;
    at::Tensor hidden;
    if (options_.act.is_silu && options_.resample == Resample::none) {
        hidden = options_.kernels->norm_conv3x3(x, arguments_of(norm1_), conv1_->weight, conv1_->bias, {});
    } else {
        const auto resample = [&](const at::Tensor& images) {
            return options_.resample == Resample::down ? halve(images)
                   : options_.resample == Resample::up ? enlarge_twice(images)
                                                       : images;
        };
        shortcut = resample(x);
        hidden = options_.kernels->conv3x3(resample(normalize(norm1_, x)), conv1_->weight, conv1_->bias, {});
    }

    const at::Tensor conditions = condition.expand({x.size(0), -1});
    NormArguments conditioned;
    if (options_.scale_shift) {
        const std::vector<at::Tensor> parts = conditions.chunk(2, 1);
        conditioned.scale = 1 + parts[0];
        conditioned.offset = parts[1];
    } else {
        conditioned.shift = conditions;
    }
    if (!conv_shortcut_.is_empty()) shortcut = options_.kernels->conv1x1(shortcut, conv_shortcut_->weight, conv_shortcut_->bias);

    const bool drops = options_.dropout > 0 && is_training();
    at::Tensor sum;
    if (options_.act.is_silu && !drops) {
        sum = options_.kernels->norm_conv3x3(hidden, arguments_of(norm2_, conditioned), conv2_->weight, conv2_->bias, shortcut);
    } else {
        hidden = normalize(norm2_, hidden, conditioned);
        if (drops) hidden = drop(hidden);
        sum = options_.kernels->conv3x3(hidden, conv2_->weight, conv2_->bias, shortcut);
    }
    return options_.scale_factor == 1 ? sum : sum / options_.scale_factor;
}

}  // namespace ddpm::nn
