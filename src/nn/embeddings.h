#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include "ddpm/nn/options.h"

namespace ddpm::nn {

// Sinusoidal embedding of t (Vaswani et al., section 3.5, in Ho et al.'s form): with half = width / 2 and
// f_i = exp(−ln(10000)·i / (half − freq_shift)), [sin t·f, cos t·f], or [cos, sin] when flipped; an odd width ends in a
// zero. t: [N]. Returns [N, width] float32.
at::Tensor timestep_embedding(const at::Tensor& t, int64_t width, bool flip_sin_to_cos, double freq_shift);

// Embeds t, or a label like t, as a vector: positional (without a parameter), fourier or learned (both with `weight`).
class TimeProjection : public torch::nn::Module {
public:
    explicit TimeProjection(const UNetConfig& config);

    int64_t width() const { return width_; }
    at::Tensor forward(const at::Tensor& t);  // [N] to [N, width]

private:
    enum class Kind { positional, fourier, learned } kind_;
    int64_t width_;
    bool flip_sin_to_cos_;
    double freq_shift_;
    at::Tensor weight_;
};

// linear_1, SiLU, linear_2.
class EmbeddingMlp : public torch::nn::Module {
public:
    EmbeddingMlp(int64_t in, int64_t out);

    at::Tensor forward(const at::Tensor& embedding);  // [N, in] to [N, out]

private:
    torch::nn::Linear linear_1_, linear_2_;
};

// Makes what a label adds to the time embedding: a row of a table, an EmbeddingMlp of the label projected like a time,
// or the label itself. The module is called class_embedding and has the parameters `weight`, or `linear_1` and
// `linear_2`, or none.
class ClassEmbedding : public torch::nn::Module {
public:
    ClassEmbedding(const UNetConfig& config, std::shared_ptr<TimeProjection> time_proj);

    // y: [N] int64, or [N, D] for "identity". Returns [N, D].
    at::Tensor forward(const at::Tensor& y);

private:
    std::shared_ptr<TimeProjection> time_proj_;  // not registered here: it belongs to the U-Net
    torch::nn::Linear linear_1_{nullptr}, linear_2_{nullptr};
    at::Tensor weight_;
};

}  // namespace ddpm::nn
