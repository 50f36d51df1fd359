#pragma once

#include <cmath>
#include <map>
#include <string>

#include "ddpm/nn/unet.h"

namespace ddpm::test {

// Returns a small network of plain blocks, with classes.
inline UNetConfig plain_network() {
    UNetConfig config;
    config.block_out_channels = {8, 16};
    config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
    config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
    config.layers_per_block = 1;
    config.norm_num_groups = 4;
    config.num_class_embeds = 3;
    config.downsample_padding = 0;
    config.flip_sin_to_cos = false;
    config.freq_shift = 1;
    config.norm_eps = 1e-6;
    config.attention_head_dim.reset();
    return config;
}

// Returns a small network with all the unusual settings.
inline UNetConfig resampling_network() {
    UNetConfig config;
    config.in_channels = config.out_channels = 1;
    config.block_out_channels = {8, 16};
    config.down_block_types = {"AttnDownBlock2D", "ResnetDownsampleBlock2D"};
    config.up_block_types = {"ResnetUpsampleBlock2D", "AttnUpBlock2D"};
    config.layers_per_block = 1;
    config.norm_num_groups = 4;
    config.attention_head_dim = 4;
    config.resnet_time_scale_shift = "scale_shift";
    config.downsample_type = config.upsample_type = "resnet";
    config.act_fn = "gelu";
    config.mid_block_scale_factor = std::sqrt(2.0);
    config.center_input_sample = true;
    return config;
}

// Sets weights by a formula that any program can compute. Element i of parameter k, counted in the order of the names, is
// sin(1.3·i + 0.7·k), times 1.5/√fan_in for matrices and kernels and times 0.1 for vectors, plus 1 for the weights of norms.
inline void fill_by_formula(torch::nn::Module& module) {
    const at::NoGradGuard no_grad;
    std::map<std::string, at::Tensor> sorted;
    for (const auto& item : module.named_parameters()) sorted[item.key()] = item.value();
    int k = 0;
    for (auto& [name, parameter] : sorted) {
        at::Tensor value = (1.3 * at::arange(parameter.numel(), at::kDouble) + 0.7 * k++).sin();
        if (parameter.dim() > 1)
            value = value * 1.5 / std::sqrt(static_cast<double>(parameter.numel() / parameter.size(0)));
        else
            value = 0.1 * value + (name.find("norm") != std::string::npos && name.find(".weight") != std::string::npos ? 1 : 0);
        parameter.copy_(value.view(parameter.sizes()));
    }
}

// Returns a network of two levels, with attention at the coarser one, whose channels fit the fast kernels.
inline UNetConfig small_with_attention(int64_t side) {
    UNetConfig config;
    config.sample_size = {side, side};
    config.block_out_channels = {32, 64};
    config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
    config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
    config.layers_per_block = 1;
    config.attention_head_dim = std::nullopt;
    return config;
}

}  // namespace ddpm::test
