#include "nn/blocks.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "ddpm/nn/unet_fields.h"
#include "nn/recompute.h"

namespace ddpm::nn {

namespace {

ResnetOptions resnet_options(const UNetConfig& config, const Kernels& kernels, int64_t in, int64_t out,
                             Resample resample = Resample::none) {
    ResnetOptions options;
    options.kernels = &kernels;
    options.in_channels = in;
    options.out_channels = out;
    options.time_width = config.time_width();
    options.norm_groups = config.norm_num_groups;
    options.norm_eps = config.norm_eps;
    options.dropout = config.dropout;
    options.scale_shift = config.resnet_time_scale_shift == "scale_shift";
    options.act = activation(config.act_fn);
    options.resample = resample;
    return options;
}

AttentionOptions attention_options(const UNetConfig& config, const Kernels& kernels, int64_t channels) {
    AttentionOptions options;
    options.kernels = &kernels;
    options.channels = channels;
    options.head_dim = config.attention_head_dim.value_or(channels);
    options.norm_groups = config.norm_num_groups;
    options.norm_eps = config.norm_eps;
    return options;
}

std::vector<ResnetBlock*> in_order(const std::vector<std::shared_ptr<ResnetBlock>>& resnets, ResnetBlock* resampling) {
    std::vector<ResnetBlock*> all;
    for (const auto& resnet : resnets) all.push_back(resnet.get());
    if (resampling) all.push_back(resampling);
    return all;
}

template <class Body>
at::Tensor run(const std::vector<at::Tensor>& inputs, bool sparing, const Body& body) {
    return sparing ? recompute(inputs, body) : body(inputs);
}

}  // namespace

Downsample::Downsample(int64_t channels, int64_t padding)
    : torch::nn::Module("Downsample"),
      padding_(padding),
      conv_(
          register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, channels, 3).stride(2).padding(padding)))) {}

at::Tensor Downsample::forward(const at::Tensor& x) { return conv_(padding_ == 0 ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x); }

Upsample::Upsample(int64_t channels, const Kernels& kernels)
    : torch::nn::Module("Upsample"),
      kernels_(&kernels),
      conv_(register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, channels, 3).padding(1)))) {}

at::Tensor Upsample::forward(const at::Tensor& x) { return kernels_->conv3x3(enlarge_twice(x), conv_->weight, conv_->bias, {}); }

DownBlock::DownBlock(const UNetConfig& config, int64_t level, const Kernels& kernels) : torch::nn::Module("DownBlock") {
    const std::string& type = config.down_block_types[level];
    const int64_t channels = config.block_out_channels[level];
    int64_t in = config.block_out_channels[std::max<int64_t>(level - 1, 0)];
    for (int64_t i = 0; i < config.layers_per_block; ++i, in = channels) {
        resnets_.push_back(std::make_shared<ResnetBlock>(resnet_options(config, kernels, in, channels)));
        if (has_attention(type)) attentions_.push_back(std::make_shared<Attention>(attention_options(config, kernels, channels)));
    }
    register_list(*this, "attentions", attentions_);
    register_list(*this, "resnets", resnets_);
    if (level == config.levels() - 1) return;
    if (type == "ResnetDownsampleBlock2D" || (has_attention(type) && config.downsample_type == "resnet")) {
        resnet_downsample_ = std::make_shared<ResnetBlock>(resnet_options(config, kernels, channels, channels, Resample::down));
        register_list<ResnetBlock>(*this, "downsamplers", {resnet_downsample_});
    } else {
        downsample_ = std::make_shared<Downsample>(channels, config.downsample_padding);
        register_list<Downsample>(*this, "downsamplers", {downsample_});
    }
}

at::Tensor DownBlock::forward(at::Tensor hidden, NextCondition& conditions, std::vector<at::Tensor>& skips, bool sparing) {
    for (size_t i = 0; i < resnets_.size(); ++i) {
        hidden = run({hidden, *conditions++}, sparing, [this, i](const std::vector<at::Tensor>& in) {
            const at::Tensor out = resnets_[i]->forward(in[0], in[1]);
            return attentions_.empty() ? out : attentions_[i]->forward(out);
        });
        skips.push_back(hidden);
    }
    if (!downsample_ && !resnet_downsample_) return hidden;
    hidden = downsample_ ? downsample_->forward(hidden) : resnet_downsample_->forward(hidden, *conditions++);
    skips.push_back(hidden);
    return hidden;
}

std::vector<ResnetBlock*> DownBlock::resnets() const { return in_order(resnets_, resnet_downsample_.get()); }

MidBlock::MidBlock(const UNetConfig& config, const Kernels& kernels) : torch::nn::Module("MidBlock") {
    const int64_t channels = config.block_out_channels.back();
    ResnetOptions resnet = resnet_options(config, kernels, channels, channels);
    resnet.scale_factor = config.mid_block_scale_factor;
    resnets_ = {std::make_shared<ResnetBlock>(resnet), std::make_shared<ResnetBlock>(resnet)};
    if (config.add_attention) {
        AttentionOptions options = attention_options(config, kernels, channels);
        options.scale_factor = config.mid_block_scale_factor;
        // diffusers leaves this norm out under scale_shift, unless a number of groups is given.
        options.norm_groups = config.attn_norm_num_groups.value_or(resnet.scale_shift ? 0 : config.norm_num_groups);
        attention_ = std::make_shared<Attention>(options);
        register_list<Attention>(*this, "attentions", {attention_});
    }
    register_list(*this, "resnets", resnets_);
}

at::Tensor MidBlock::forward(const at::Tensor& hidden, NextCondition& conditions, bool sparing) {
    const at::Tensor first = *conditions++, second = *conditions++;
    return run({hidden, first, second}, sparing, [this](const std::vector<at::Tensor>& in) {
        const at::Tensor out = resnets_[0]->forward(in[0], in[1]);
        return resnets_[1]->forward(attention_ ? attention_->forward(out) : out, in[2]);
    });
}

std::vector<ResnetBlock*> MidBlock::resnets() const { return in_order(resnets_, nullptr); }

UpBlock::UpBlock(const UNetConfig& config, int64_t index, const Kernels& kernels) : torch::nn::Module("UpBlock") {
    const std::string& type = config.up_block_types[index];
    const std::vector<int64_t>& channels = config.block_out_channels;
    const int64_t level = config.levels() - 1 - index;
    const int64_t out = channels[level];
    const int64_t below = channels[std::min(level + 1, config.levels() - 1)];
    const int64_t above = channels[std::max<int64_t>(level - 1, 0)];
    const int64_t layers = config.layers_per_block + 1;
    for (int64_t i = 0; i < layers; ++i) {
        const int64_t hidden = i == 0 ? below : out;
        const int64_t skip = i == layers - 1 ? above : out;
        resnets_.push_back(std::make_shared<ResnetBlock>(resnet_options(config, kernels, hidden + skip, out)));
        if (has_attention(type)) attentions_.push_back(std::make_shared<Attention>(attention_options(config, kernels, out)));
    }
    register_list(*this, "attentions", attentions_);
    register_list(*this, "resnets", resnets_);
    if (level == 0) return;
    if (type == "ResnetUpsampleBlock2D" || (has_attention(type) && config.upsample_type == "resnet")) {
        resnet_upsample_ = std::make_shared<ResnetBlock>(resnet_options(config, kernels, out, out, Resample::up));
        register_list<ResnetBlock>(*this, "upsamplers", {resnet_upsample_});
    } else {
        upsample_ = std::make_shared<Upsample>(out, kernels);
        register_list<Upsample>(*this, "upsamplers", {upsample_});
    }
}

at::Tensor UpBlock::forward(at::Tensor hidden, NextCondition& conditions, std::vector<at::Tensor>& skips, bool sparing) {
    for (size_t i = 0; i < resnets_.size(); ++i) {
        hidden = run({hidden, *conditions++, skips.back()}, sparing, [this, i](const std::vector<at::Tensor>& in) {
            const at::Tensor out = resnets_[i]->forward(at::cat({in[0], in[2]}, 1), in[1]);
            return attentions_.empty() ? out : attentions_[i]->forward(out);
        });
        skips.pop_back();
    }
    if (upsample_) return upsample_->forward(hidden);
    return resnet_upsample_ ? resnet_upsample_->forward(hidden, *conditions++) : hidden;
}

std::vector<ResnetBlock*> UpBlock::resnets() const { return in_order(resnets_, resnet_upsample_.get()); }

}  // namespace ddpm::nn
