#include "eval/vit.h"

#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

namespace ddpm::eval {

namespace {

at::Tensor linear(const at::Tensor& x, const VitLayer& layer) { return at::linear(x, layer.weight, layer.bias); }

at::Tensor norm(const at::Tensor& x, const VitLayer& layer, double eps) {
    return at::layer_norm(x, {x.size(-1)}, layer.weight, layer.bias, eps);
}

at::Tensor scaled(const at::Tensor& x, const at::Tensor& scale) { return scale.defined() ? x * scale : x; }

at::Tensor attention(const at::Tensor& x, const VitBlock& block) {
    const auto heads = [&](const VitLayer& layer) { return linear(x, layer).unflatten(-1, {-1, kVitHead}).transpose(1, 2); };
    const at::Tensor answers = at::scaled_dot_product_attention(heads(block.query), heads(block.key), heads(block.value));
    return linear(answers.transpose(1, 2).flatten(2), block.output);
}

at::Tensor activated(const at::Tensor& x, VitActivation activation) {
    switch (activation) {
        case VitActivation::gelu:
            return at::gelu(x);
        case VitActivation::quick_gelu:
            return x * at::sigmoid(1.702 * x);
        case VitActivation::gated_silu:
            break;
    }
    const std::vector<at::Tensor> halves = x.chunk(2, -1);
    return at::silu(halves[0]) * halves[1];
}

}  // namespace

int64_t Vit::patches_a_side() const { return std::llround(std::sqrt(static_cast<double>(positions.size(1) - 1))); }

std::string Vit::words() const {
    return fmt::format("{} blocks of width {}, {} heads, patches of {}x{}", blocks.size(), width(), width() / kVitHead,
                       patch_side(), patch_side());
}

at::Tensor Vit::operator()(const at::Tensor& pictures) const {
    const at::Tensor grid = at::conv2d(pictures, patch.weight, patch.bias, patch_side());
    const int64_t rows = grid.size(2), columns = grid.size(3), side = patches_a_side();
    at::Tensor places = positions;
    if (rows != side || columns != side) {
        const at::Tensor square = positions.slice(1, 1).unflatten(1, {side, side}).permute({0, 3, 1, 2}).contiguous();
        const at::Tensor other = antialias ? at::_upsample_bicubic2d_aa(square, {rows, columns}, false)
                                           : at::upsample_bicubic2d(square, {rows, columns}, false);
        places = at::cat({positions.slice(1, 0, 1), other.flatten(2).transpose(1, 2)}, 1);
    }
    at::Tensor x = at::cat({cls.expand({pictures.size(0), -1, -1}), grid.flatten(2).transpose(1, 2)}, 1) + places;
    if (registers.defined())  // they have no place in the picture
        x = at::cat({x.slice(1, 0, 1), registers.expand({pictures.size(0), -1, -1}), x.slice(1, 1)}, 1);
    if (norm_before.weight.defined()) x = norm(x, norm_before, eps);
    for (const VitBlock& block : blocks) {
        x = x + scaled(attention(norm(x, block.norm1, eps), block), block.scale1);
        x = x + scaled(linear(activated(linear(norm(x, block.norm2, eps), block.in), activation), block.out), block.scale2);
    }
    const at::Tensor feature = norm(x.select(1, 0), norm_after, eps);
    return projection.defined() ? at::linear(feature, projection) : feature;
}

}  // namespace ddpm::eval
