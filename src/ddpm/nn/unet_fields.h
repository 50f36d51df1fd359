#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/nn/options.h"

namespace ddpm {

inline const std::vector<std::string>& down_block_names() {
    static const std::vector<std::string> names = {"DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"};
    return names;
}
inline const std::vector<std::string>& up_block_names() {
    static const std::vector<std::string> names = {"UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"};
    return names;
}

inline bool has_attention(const std::string& block_type) { return block_type.rfind("Attn", 0) == 0; }

// Reads a list of block types. "UNetResAttnDownBlock2D" is read as "AttnDownBlock2D"; a type that is not in `known` is
// a user_error.
std::vector<std::string> read_block_types(const Json& value, const std::string& path, const std::vector<std::string>& known);

// Reads one number or [height, width].
std::array<int64_t, 2> read_sample_size(const Json& value, const std::string& path);
Json write_sample_size(const std::optional<std::array<int64_t, 2>>& size);

template <class Value>
Json json_or_null(const std::optional<Value>& value) {
    return value ? Json(*value) : Json(nullptr);
}

// Checks what no single key can tell: the lengths of the lists, and that groups and heads fit the channels. `path` is
// "model" or names the file; every error begins with it and the key.
void check_unet(const UNetConfig& config, const std::string& path);

// Adds the keys that both tables share. `Options` derives from UNetSettings.
template <class Options>
void add_unet_settings(FieldTable<Options>& table) {
    const auto at = []<class Value>(Value UNetSettings::*member) -> Value Options::* { return member; };
    const auto choice_or_null = [&](const char* name, std::optional<std::string> UNetSettings::*member,
                                    const std::vector<std::string>& allowed, const char* meaning) {
        table.custom(
            {name, "text or null", {}, join(allowed), meaning},
            [member, allowed](Options& options, const Json& value, const std::string& path) {
                if (value.is_null())
                    options.*member = std::nullopt;
                else
                    options.*member = read_choice(value, path, allowed);
            },
            [member](const Options& options) { return json_or_null(options.*member); });
    };
    table
        .add("block_out_channels", at(&UNetSettings::block_out_channels), Range::between(1, 65536),
             "channels of each level, finest first")
        .add("layers_per_block", at(&UNetSettings::layers_per_block), Range::between(1, 64),
             "resnet blocks a level on the way down; one more on the way up")
        .add("attention_head_dim", at(&UNetSettings::attention_head_dim), Range::between(1, 65536),
             "channels of an attention head; null: one head")
        .add("norm_num_groups", at(&UNetSettings::norm_num_groups), Range::between(1, 65536), "groups of every group normalization")
        .add("dropout", at(&UNetSettings::dropout), Range::between(0, 1), "dropout before the second convolution of a resnet block")
        .add("num_class_embeds", at(&UNetSettings::num_class_embeds), Range::between(1, 10000000),
             "classes that the network is told; null: none");
    choice_or_null("class_embed_type", &UNetSettings::class_embed_type, {"timestep", "identity"},
                   "null: a table of num_class_embeds rows; timestep: the label embedded like t; identity: y is the "
                   "embedding");
    choice_or_null("mid_block_type", &UNetSettings::mid_block_type, {"UNetMidBlock2D"},
                   "the block below the coarsest level; null: none");
    table.add("add_attention", at(&UNetSettings::add_attention), "attention in the middle block")
        .choice("act_fn", at(&UNetSettings::act_fn), {"silu", "swish", "mish", "gelu", "relu"}, "activation of the resnet blocks")
        .choice("resnet_time_scale_shift", at(&UNetSettings::resnet_time_scale_shift), {"default", "scale_shift"},
                "how the time embedding enters a resnet block: added, or as scale and shift of its second norm")
        .choice("time_embedding_type", at(&UNetSettings::time_embedding_type), {"positional", "fourier", "learned"},
                "sines and cosines of t, of random frequencies times ln t, or a table of num_train_timesteps rows")
        .add("time_embedding_dim", at(&UNetSettings::time_embedding_dim), Range::between(0, 65536),
             "width of the time embedding; null or 0: four times block_out_channels[0]")
        .add("num_train_timesteps", at(&UNetSettings::num_train_timesteps), Range::between(1, 1000000),
             "rows of the learned time embedding")
        .add("flip_sin_to_cos", at(&UNetSettings::flip_sin_to_cos), "cosines before sines in the time embedding")
        .add("freq_shift", at(&UNetSettings::freq_shift), Range::between(-65536, 65536),
             "subtracted from the number of frequencies of the time embedding")
        .add("center_input_sample", at(&UNetSettings::center_input_sample), "feed 2x − 1 instead of x")
        .add("downsample_padding", at(&UNetSettings::downsample_padding), Range::between(0, 1),
             "1: symmetric; 0: one zero row below and column right, as Ho et al.")
        .choice("downsample_type", at(&UNetSettings::downsample_type), {"conv", "resnet"}, "how blocks with attention shrink")
        .choice("upsample_type", at(&UNetSettings::upsample_type), {"conv", "resnet"}, "how blocks with attention enlarge")
        .add("mid_block_scale_factor", at(&UNetSettings::mid_block_scale_factor), Range::above(0),
             "each result in the middle block is divided by this")
        .add("norm_eps", at(&UNetSettings::norm_eps), Range::above(0), "ε of every group normalization")
        .add("attn_norm_num_groups", at(&UNetSettings::attn_norm_num_groups), Range::between(1, 65536),
             "groups of the middle attention's norm; null: norm_num_groups, or no norm with scale_shift");
}

}  // namespace ddpm
