#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/core/options.h"

namespace ddpm {

// The keys of diffusers' UNet2DModel that mean the same in a configuration of this program and in a unet/config.json.
// Names and defaults are diffusers'. C0 = block_out_channels[0].
struct UNetSettings {
    bool center_input_sample = false;
    std::string time_embedding_type = "positional";
    std::optional<int64_t> time_embedding_dim;  // null or 0: 4·C0
    double freq_shift = 0;
    bool flip_sin_to_cos = true;
    std::optional<std::string> mid_block_type = "UNetMidBlock2D";
    std::vector<int64_t> block_out_channels = {224, 448, 672, 896};
    int64_t layers_per_block = 2;
    double mid_block_scale_factor = 1;
    int64_t downsample_padding = 1;
    std::string downsample_type = "conv";
    std::string upsample_type = "conv";
    double dropout = 0.0;
    std::string act_fn = "silu";
    std::optional<int64_t> attention_head_dim = 8;  // null: one head
    int64_t norm_num_groups = 32;
    std::optional<int64_t> attn_norm_num_groups;
    double norm_eps = 1e-5;
    std::string resnet_time_scale_shift = "default";
    bool add_attention = true;
    std::optional<std::string> class_embed_type;
    std::optional<int64_t> num_class_embeds;
    std::optional<int64_t> num_train_timesteps;  // rows of the learned time embedding
};

// A whole U-Net, as in diffusers' UNet2DModel. Block types have no "UNetRes" in front.
struct UNetConfig : UNetSettings {
    std::optional<std::array<int64_t, 2>> sample_size;  // height, width
    int64_t in_channels = 3;
    int64_t out_channels = 3;
    std::vector<std::string> down_block_types = {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"};
    std::vector<std::string> up_block_types = {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"};

    int64_t levels() const { return static_cast<int64_t>(block_out_channels.size()); }
    // D, the width of the time embedding that every resnet takes.
    int64_t time_width() const {
        const int64_t given = time_embedding_dim.value_or(0);
        return given > 0 ? given : 4 * block_out_channels.front();
    }
    // A network with classes needs y; one without must not be given it.
    bool has_classes() const { return class_embed_type.has_value() || num_class_embeds.has_value(); }
    // Height and width must be multiples of this.
    int64_t size_divisor() const { return int64_t{1} << (levels() - 1); }
};

// The configuration section "model". It has the settings, with the defaults of Ho et al.'s code (arXiv 2006.11239), and
// either attention_resolutions or both lists of block types.
struct ModelOptions : UNetSettings {
    ModelOptions();

    std::vector<int64_t> attention_resolutions = {16};
    bool attention_resolutions_given = false;  // a default entry may match no level, a given one must
    std::optional<std::vector<std::string>> down_block_types;
    std::optional<std::vector<std::string>> up_block_types;
    // These are keys of a unet/config.json. If they are given, they must agree with the data set.
    std::optional<std::array<int64_t, 2>> sample_size;
    std::optional<int64_t> in_channels;
    std::optional<int64_t> out_channels;
};

const FieldTable<ModelOptions>& model_fields();

// Returns the network for images of this size. A level has attention if the larger side of its feature map is one of
// attention_resolutions. With `predicts_variance` its output has twice the channels of an image. Everything that can't work is a
// user_error that begins with "model." and the key.
UNetConfig resolve_unet(const ModelOptions& options, int64_t height, int64_t width, int64_t channels,
                        bool predicts_variance = false);

// Returns the options as the resolved configuration should keep them. Default attention_resolutions are cut to those
// that match a level, so that they mean the same network when they are read back as given ones.
ModelOptions settle_model(ModelOptions options, int64_t height, int64_t width);

}  // namespace ddpm
