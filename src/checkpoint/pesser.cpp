#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "checkpoint/foreign.h"
#include "ddpm/core/error.h"

namespace ddpm::checkpoint {

// This format is that of pytorch_diffusion: Ho et al.'s networks (arXiv 2006.11239) with their weights, carried over to
// PyTorch and saved as a state dict. ermongroup/ddim and the programs that followed from both use the same names.

namespace {

// The settings that their two configurations hold beside the weights, under their names and with their defaults.
struct PesserSettings {
    std::optional<int64_t> image_size;
    std::string beta_schedule = "linear";
    double beta_start = 1e-4;
    double beta_end = 0.02;
    int64_t num_diffusion_timesteps = 1000;
    std::string model_var_type = "fixedsmall";
    double dropout = 0;
};

const FieldTable<PesserSettings>& pesser_fields() {
    using S = PesserSettings;
    static const FieldTable<S> table =
        FieldTable<S>()
            .add("image_size", &S::image_size, Range::between(1, 65536), "height and width of the pictures (resolution)")
            .choice("beta_schedule", &S::beta_schedule, {"linear", "quad"}, "rule of the betas")
            .add("beta_start", &S::beta_start, Range::between(0, 1), "first beta")
            .add("beta_end", &S::beta_end, Range::between(0, 1), "last beta")
            .add("num_diffusion_timesteps", &S::num_diffusion_timesteps, Range::between(1, 1e6), "T")
            .choice("model_var_type", &S::model_var_type, {"fixedsmall", "fixedlarge"},
                    "variance of a sampling step; CIFAR-10's was fixedlarge")
            .add("dropout", &S::dropout, Range::between(0, 1), "of the training");
    return table;
}

void name_resnet(const ForeignWeights& weights, NameMap& names, const std::string& to, const std::string& from) {
    for (const char* same : {".norm1", ".conv1", ".norm2", ".conv2"}) names.add(to + same, from + same);
    names.add(to + ".time_emb_proj", from + ".temb_proj");
    if (weights.has(from + ".nin_shortcut.weight")) names.add(to + ".conv_shortcut", from + ".nin_shortcut");
}

void name_attention(NameMap& names, const std::string& to, const std::string& from) {
    names.add(to + ".group_norm", from + ".norm");
    for (const auto& [ours, theirs] : {std::pair(".to_q", ".q"), {".to_k", ".k"}, {".to_v", ".v"}, {".to_out.0", ".proj_out"}})
        names.add(to + ours, from + theirs, as_linear);
}

bool level_attends(const ForeignWeights& weights, const std::string& level) { return weights.has(level + ".attn.0.norm.weight"); }

// Names all blocks of one level, and its down- or upsampler if it has one.
void name_level(const ForeignWeights& weights, NameMap& names, const std::string& to, const std::string& from) {
    for (int64_t i = 0; i < weights.count(from + ".block"); ++i) {
        name_resnet(weights, names, fmt::format("{}.resnets.{}", to, i), fmt::format("{}.block.{}", from, i));
        if (level_attends(weights, from))
            name_attention(names, fmt::format("{}.attentions.{}", to, i), fmt::format("{}.attn.{}", from, i));
    }
    for (const char* direction : {"down", "up"})
        if (weights.has(fmt::format("{}.{}sample.conv.weight", from, direction)))
            names.add(fmt::format("{}.{}samplers.0.conv", to, direction), fmt::format("{}.{}sample.conv", from, direction));
}

ForeignNetwork describe_pesser(const ForeignWeights& weights, const Json& json) {
    PesserSettings settings;
    pesser_fields().read(settings, json, "pesser");
    ForeignNetwork network;
    UNetConfig& unet = network.unet;
    const int64_t levels = weights.count("down");
    if (levels == 0) weights.cannot_express("it has a time embedding, but no levels down.0, down.1, …");
    if (levels > 1 && !weights.has("down.0.downsample.conv.weight"))
        weights.cannot_express(
            "down.0.downsample has no weights: it halves pictures by plain averaging (resamp_with_conv false), "
            "UNet2DModel by "
            "a convolution");

    unet.in_channels = weights.size("conv_in.weight", 1);
    unet.out_channels = weights.size("conv_out.weight", 0);
    unet.sample_size = square_size(settings.image_size, "pesser");
    unet.layers_per_block = weights.count("down.0.block");
    unet.norm_num_groups = 32;
    unet.norm_eps = 1e-6;
    unet.downsample_padding = 0;
    unet.flip_sin_to_cos = false;
    unet.freq_shift = 1;
    unet.attention_head_dim = std::nullopt;
    unet.dropout = settings.dropout;
    unet.block_out_channels.clear();
    unet.down_block_types.clear();
    unet.up_block_types.clear();

    NameMap& names = network.names;
    names.add("conv_in", "conv_in");
    names.add("time_embedding.linear_1", "temb.dense.0");
    names.add("time_embedding.linear_2", "temb.dense.1");
    for (int64_t level = 0; level < levels; ++level) {
        const std::string down = fmt::format("down.{}", level), up = fmt::format("up.{}", level);
        unet.block_out_channels.push_back(weights.size(down + ".block.0.norm2.weight", 0));
        unet.down_block_types.push_back(down_block_type(level_attends(weights, down), true, false));
        unet.up_block_types.insert(unet.up_block_types.begin(), up_block_type(level_attends(weights, up), true, false));
        name_level(weights, names, fmt::format("down_blocks.{}", level), down);
        name_level(weights, names, fmt::format("up_blocks.{}", levels - 1 - level), up);
    }
    name_resnet(weights, names, "mid_block.resnets.0", "mid.block_1");
    name_attention(names, "mid_block.attentions.0", "mid.attn_1");
    name_resnet(weights, names, "mid_block.resnets.1", "mid.block_2");
    names.add("conv_norm_out", "norm_out");
    names.add("conv_out", "conv_out");

    SchedulerConfig& scheduler = network.scheduler;
    scheduler.num_train_timesteps = settings.num_diffusion_timesteps;
    scheduler.beta_start = settings.beta_start;
    scheduler.beta_end = settings.beta_end;
    scheduler.beta_schedule = settings.beta_schedule == "quad" ? "scaled_linear" : "linear";
    scheduler.variance_type = settings.model_var_type == "fixedlarge" ? "fixed_large" : "fixed_small";
    return network;
}

std::vector<FieldInfo> pesser_settings() { return pesser_fields().describe(); }

}  // namespace

ForeignFormat pesser_format() { return {"pesser", "temb.dense.0.weight", pesser_settings, describe_pesser}; }

}  // namespace ddpm::checkpoint
