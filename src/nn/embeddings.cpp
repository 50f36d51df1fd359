#include "nn/embeddings.h"

#include <cmath>

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm::nn {

namespace {

at::Tensor two_layers(torch::nn::Linear& linear_1, torch::nn::Linear& linear_2, const at::Tensor& embedding) {
    return linear_2(at::silu(linear_1(embedding.to(linear_1->weight.scalar_type()))));
}

}  // namespace

at::Tensor timestep_embedding(const at::Tensor& t, int64_t width, bool flip_sin_to_cos, double freq_shift) {
    const int64_t half = width / 2;
    // This is in float32 and in this order of operations, whatever t's dtype is, so that the numbers are diffusers'.
    const at::Tensor exponent =
        -std::log(10000.0) * at::arange(half, t.options().dtype(at::kFloat)) / (static_cast<double>(half) - freq_shift);
    const at::Tensor angle = t.to(at::kFloat).unsqueeze(1) * exponent.exp().unsqueeze(0);
    const at::Tensor sine = angle.sin(), cosine = angle.cos();
    const at::Tensor embedding = flip_sin_to_cos ? at::cat({cosine, sine}, 1) : at::cat({sine, cosine}, 1);
    return width % 2 == 1 ? at::constant_pad_nd(embedding, {0, 1}) : embedding;
}

TimeProjection::TimeProjection(const UNetConfig& config)
    : torch::nn::Module("TimeProjection"),
      kind_(config.time_embedding_type == "fourier"   ? Kind::fourier
            : config.time_embedding_type == "learned" ? Kind::learned
                                                      : Kind::positional),
      width_(config.block_out_channels.front() * (kind_ == Kind::fourier ? 2 : 1)),
      flip_sin_to_cos_(config.flip_sin_to_cos),
      freq_shift_(config.freq_shift) {
    if (kind_ == Kind::fourier)  // random frequencies that are not trained
        weight_ = register_parameter("weight", at::randn({config.block_out_channels.front()}) * 16, false);
    else if (kind_ == Kind::learned)
        weight_ = register_parameter("weight", at::randn({*config.num_train_timesteps, width_}));
}

at::Tensor TimeProjection::forward(const at::Tensor& t) {
    switch (kind_) {
        case Kind::positional:
            return timestep_embedding(t, width_, flip_sin_to_cos_, freq_shift_);
        case Kind::fourier: {
            const at::Tensor log_t = (t.is_floating_point() ? t : t.to(at::kFloat)).log();
            const at::Tensor angle = log_t.unsqueeze(1) * weight_.unsqueeze(0) * 2 * M_PI;
            return at::cat({angle.sin(), angle.cos()}, 1);
        }
        case Kind::learned:
            break;
    }
    const at::Tensor row = t.to(at::kLong);
    // On a GPU the comparison would wait for the device; whoever chooses times keeps to whole ones.
    if (t.is_cpu() && !at::equal(row.to(t.scalar_type()), t))
        runtime_failure("time embedding: a learned one has a row for each whole t alone");
    return at::embedding(weight_, row);
}

EmbeddingMlp::EmbeddingMlp(int64_t in, int64_t out)
    : torch::nn::Module("EmbeddingMlp"),
      linear_1_(register_module("linear_1", torch::nn::Linear(in, out))),
      linear_2_(register_module("linear_2", torch::nn::Linear(out, out))) {}

at::Tensor EmbeddingMlp::forward(const at::Tensor& embedding) { return two_layers(linear_1_, linear_2_, embedding); }

ClassEmbedding::ClassEmbedding(const UNetConfig& config, std::shared_ptr<TimeProjection> time_proj)
    : torch::nn::Module("ClassEmbedding"), time_proj_(std::move(time_proj)) {
    const int64_t width = config.time_width();
    if (config.class_embed_type == "timestep") {
        linear_1_ = register_module("linear_1", torch::nn::Linear(time_proj_->width(), width));
        linear_2_ = register_module("linear_2", torch::nn::Linear(width, width));
    } else if (!config.class_embed_type) {
        weight_ = register_parameter("weight", at::randn({*config.num_class_embeds, width}));
    }
}

at::Tensor ClassEmbedding::forward(const at::Tensor& y) {
    if (weight_.defined()) return at::embedding(weight_, y);
    if (linear_1_.is_empty()) return y;
    return two_layers(linear_1_, linear_2_, time_proj_->forward(y));
}

}  // namespace ddpm::nn
