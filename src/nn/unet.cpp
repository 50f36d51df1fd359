#include "ddpm/nn/unet.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/nn/unet_fields.h"
#include "nn/blocks.h"
#include "nn/embeddings.h"

namespace ddpm {

namespace {

std::string shape_text(const at::Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")); }

// Labels: a whole number for each of N times, or a vector of the time embedding's width where the network takes it as it is.
void check_labels(const at::Tensor& y, int64_t N, const UNetConfig& config) {
    const bool vectors = config.class_embed_type == "identity";
    const std::vector<int64_t> expected = vectors ? std::vector<int64_t>{N, config.time_width()} : std::vector<int64_t>{N};
    if (y.sizes() != at::IntArrayRef(expected))
        runtime_failure(fmt::format("U-Net: y has the shape {}, expected [{}]", shape_text(y), fmt::join(expected, ", ")));
    if (!config.class_embed_type && y.scalar_type() != at::kLong && y.scalar_type() != at::kInt)
        runtime_failure(fmt::format("U-Net: y has the dtype {}, expected Long", at::toString(y.scalar_type())));
}

}  // namespace

UNet2D::UNet2D(const UNetConfig& config, const Kernels& kernels)
    : torch::nn::Module("UNet2D"), config_(config), kernels_(&kernels) {
    check_unet(config_, "unet");
    const int64_t first = config_.block_out_channels.front();
    conv_in_ = register_module("conv_in", torch::nn::Conv2d(torch::nn::Conv2dOptions(config_.in_channels, first, 3).padding(1)));
    time_proj_ = register_module("time_proj", std::make_shared<nn::TimeProjection>(config_));
    time_embedding_ =
        register_module("time_embedding", std::make_shared<nn::EmbeddingMlp>(time_proj_->width(), config_.time_width()));
    if (config_.has_classes())
        class_embedding_ = register_module("class_embedding", std::make_shared<nn::ClassEmbedding>(config_, time_proj_));
    for (int64_t level = 0; level < config_.levels(); ++level) {
        down_blocks_.push_back(std::make_shared<nn::DownBlock>(config_, level, kernels));
        up_blocks_.push_back(std::make_shared<nn::UpBlock>(config_, level, kernels));
    }
    nn::register_list(*this, "down_blocks", down_blocks_);
    if (config_.mid_block_type) mid_block_ = register_module("mid_block", std::make_shared<nn::MidBlock>(config_, kernels));
    nn::register_list(*this, "up_blocks", up_blocks_);
    const auto add = [&](const auto& block) {
        for (nn::ResnetBlock* resnet : block->resnets()) resnets_.push_back(resnet);
    };
    for (const auto& block : down_blocks_) add(block);
    if (mid_block_) add(mid_block_);
    for (const auto& block : up_blocks_) add(block);
    conv_norm_out_ = register_module(
        "conv_norm_out", torch::nn::GroupNorm(torch::nn::GroupNormOptions(config_.norm_num_groups, first).eps(config_.norm_eps)));
    conv_out_ = register_module("conv_out", torch::nn::Conv2d(torch::nn::Conv2dOptions(first, config_.out_channels, 3).padding(1)));
}

UNet2D::~UNet2D() = default;

void UNet2D::set_dropout_seeds(const at::Tensor& seeds) {
    for (size_t i = 0; i < resnets_.size(); ++i) resnets_[i]->set_dropout_seeds(seeds, static_cast<int64_t>(i));
}

at::Tensor UNet2D::embed(const at::Tensor& t, const at::Tensor& y) {
    const at::Tensor time = time_embedding_->forward(time_proj_->forward(t));
    return class_embedding_ ? time + class_embedding_->forward(y).to(time.scalar_type()) : time;
}

std::vector<at::Tensor> UNet2D::conditions(const at::Tensor& t, const at::Tensor& y) {
    if (y.defined() != config_.has_classes())
        runtime_failure(y.defined() ? "U-Net: labels given to a network without classes"
                                    : "U-Net: labels missing, the network has classes");
    if (t.dim() != 1) runtime_failure(fmt::format("U-Net: t has the shape {}, expected one dimension", shape_text(t)));
    if (y.defined()) check_labels(y, t.size(0), config_);
    const at::Tensor time = nn::activation(config_.act_fn)(embed(t, y));
    std::vector<at::Tensor> all;
    for (nn::ResnetBlock* resnet : resnets_) all.push_back(resnet->condition(time));
    return all;
}

at::Tensor UNet2D::forward(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
    if (x_t.dim() == 0 || t.dim() != 1 || t.size(0) != x_t.size(0))
        runtime_failure(fmt::format("U-Net: t has the shape {}, expected [{}]", shape_text(t), x_t.dim() == 0 ? 0 : x_t.size(0)));
    const at::Tensor out = forward(x_t, conditions(t, y));
    // A network with Fourier times takes noise levels and predicts the score. diffusers divides by the level, in the
    // precision of the output.
    return config_.time_embedding_type == "fourier" ? out / t.to(out.scalar_type()).view({-1, 1, 1, 1}) : out;
}

at::Tensor UNet2D::forward(const at::Tensor& x_t, const std::vector<at::Tensor>& conditions) {
    const int64_t divisor = config_.size_divisor();
    if (x_t.dim() != 4 || x_t.size(1) != config_.in_channels || x_t.size(2) % divisor != 0 || x_t.size(3) % divisor != 0)
        runtime_failure(fmt::format("U-Net: x_t has the shape {}, expected [N, {}, H, W] with H and W divisible by {}",
                                    shape_text(x_t), config_.in_channels, divisor));
    at::Tensor hidden = config_.center_input_sample ? 2 * x_t - 1 : x_t;
    if (prefers_channels_last(*kernels_, hidden.device())) hidden = hidden.contiguous(at::MemoryFormat::ChannelsLast);
    hidden = conv_in_(hidden);
    std::vector<at::Tensor> skips{hidden};
    nn::NextCondition next = conditions.begin();
    for (const auto& block : down_blocks_) hidden = block->forward(hidden, next, skips, recomputes_);
    if (mid_block_) hidden = mid_block_->forward(hidden, next, recomputes_);
    for (const auto& block : up_blocks_) hidden = block->forward(hidden, next, skips, recomputes_);
    NormArguments norm;
    norm.weight = conv_norm_out_->weight;
    norm.bias = conv_norm_out_->bias;
    norm.groups = config_.norm_num_groups;
    norm.eps = config_.norm_eps;
    norm.silu = true;
    return conv_out_(kernels_->norm(hidden, norm)).contiguous();
}

void move_to(UNet2D& network, const c10::Device& device) {
    network.to(device);
    if (device.is_cpu() || !prefers_channels_last(network.kernels(), device)) return;
    for (at::Tensor& parameter : network.parameters())
        if (parameter.dim() == 4) parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
}

int64_t count_parameters(const torch::nn::Module& module) {
    int64_t count = 0;
    for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
    return count;
}

}  // namespace ddpm
