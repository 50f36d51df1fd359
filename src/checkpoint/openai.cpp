#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "checkpoint/foreign.h"
#include "ddpm/core/error.h"

namespace ddpm::checkpoint {

// This format is that of improved-diffusion and guided-diffusion: UNetModel of Nichol & Dhariwal (arXiv 2102.09672) and
// of Dhariwal & Nichol (arXiv 2105.05233), saved as a state dict.

namespace {

// The flags that a state dict does not hold, under their names and with guided-diffusion's defaults.
struct OpenaiSettings {
    std::optional<int64_t> image_size;
    std::optional<int64_t> num_heads;
    std::optional<int64_t> num_head_channels;
    bool use_new_attention_order = false;
    int64_t diffusion_steps = 1000;
    std::string noise_schedule = "linear";
    bool predict_xstart = false;
    bool sigma_small = false;
    bool rescale_timesteps = false;
    double dropout = 0;
};

const FieldTable<OpenaiSettings>& openai_fields() {
    using S = OpenaiSettings;
    static const FieldTable<S> table =
        FieldTable<S>()
            .add("image_size", &S::image_size, Range::between(1, 65536), "height and width of the pictures")
            .add("num_heads", &S::num_heads, Range::between(1, 65536), "attention heads at every level")
            .add("num_head_channels", &S::num_head_channels, Range::between(1, 65536), "channels of a head, instead of num_heads")
            .add("use_new_attention_order", &S::use_new_attention_order, "q, k and v apart before the heads")
            .add("diffusion_steps", &S::diffusion_steps, Range::between(1, 1e6), "T")
            .choice("noise_schedule", &S::noise_schedule, {"linear", "cosine"}, "rule of the betas")
            .add("predict_xstart", &S::predict_xstart, "whether the picture is predicted instead of the noise")
            .add("sigma_small", &S::sigma_small, "the smaller fixed variance, where none is learned")
            .add("rescale_timesteps", &S::rescale_timesteps, "whether the network is told t·1000/T (improved-diffusion's default)")
            .add("dropout", &S::dropout, Range::between(0, 1), "of the training");
    return table;
}

// The positions in the numbered lists. Each level has `layers` blocks and a downsampler, except the last, which has
// none. On the way up a level has one block more, and its upsampler is the last part of its last block.
struct Plan {
    int64_t levels = 0, layers = 0;
    bool down_by_resnet = false, up_by_resnet = false;

    std::string down_block(int64_t level, int64_t i) const { return fmt::format("input_blocks.{}", level * (layers + 1) + 1 + i); }
    std::string downsampler(int64_t level) const { return fmt::format("input_blocks.{}.0", (level + 1) * (layers + 1)); }
    // `index` 0 is the coarsest level.
    std::string up_block(int64_t index, int64_t i) const { return fmt::format("output_blocks.{}", index * (layers + 1) + i); }
};

bool attends(const ForeignWeights& weights, const std::string& block) { return weights.has(block + ".1.qkv.weight"); }

std::string upsampler(const ForeignWeights& weights, const std::string& block) {
    return block + (attends(weights, block) ? ".2" : ".1");
}

Plan find_plan(const ForeignWeights& weights) {
    if (!weights.has_below("output_blocks."))
        weights.cannot_express("it has no output_blocks, so it is a classifier and no denoiser");
    const int64_t down = weights.count("input_blocks"), up = weights.count("output_blocks");
    if (weights.has_below(fmt::format("input_blocks.{}.", down + 1)))
        weights.cannot_express(
            fmt::format("input_blocks.{} has no weights: it halves pictures by plain averaging "
                        "(conv_resample false), UNet2DModel by a convolution",
                        down));
    Plan plan;
    int64_t samplers = 0;
    for (int64_t k = 0; k < up; ++k) {
        const std::string sampler = upsampler(weights, fmt::format("output_blocks.{}", k));
        const bool by_resnet = weights.has(sampler + ".in_layers.0.weight");
        if (!by_resnet && !weights.has(sampler + ".conv.weight")) continue;
        if (samplers++ == 0) plan.up_by_resnet = by_resnet;
    }
    plan.levels = samplers + 1;
    plan.layers = up / plan.levels - 1;
    if (down != up || up % plan.levels != 0 || plan.layers < 1)
        weights.cannot_express(
            fmt::format("{} input_blocks, {} output_blocks and {} upsamplers are not the same number of "
                        "blocks at every level",
                        down, up, samplers));
    plan.down_by_resnet = plan.levels > 1 && weights.has(plan.downsampler(0) + ".in_layers.0.weight");
    return plan;
}

// Takes the rows of q, k or v out of their fused map, in the order of heads. The older order has q, k and v side by
// side in each head, the new one has all heads of q first.
NameMap::Change part_of_qkv(int64_t part, int64_t heads, bool new_order) {
    return [=](const at::Tensor& fused) {
        const at::Tensor rows = as_linear(fused);
        const int64_t channels = rows.size(0) / 3;
        if (rows.size(0) != 3 * channels || channels % heads != 0) return rows;
        const at::Tensor apart = new_order ? rows.reshape({3, channels, -1}).select(0, part)
                                           : rows.reshape({heads, 3, channels / heads, -1}).select(1, part);
        return rows.dim() == 1 ? apart.reshape({channels}) : apart.reshape({channels, rows.size(1)});
    };
}

class Namer {
public:
    Namer(const ForeignWeights& weights, const OpenaiSettings& settings, NameMap& names)
        : weights_(weights), settings_(settings), names_(names) {}

    void resnet(const std::string& to, const std::string& from) {
        names_.add(to + ".norm1", from + ".in_layers.0");
        names_.add(to + ".conv1", from + ".in_layers.2");
        names_.add(to + ".time_emb_proj", from + ".emb_layers.1");
        names_.add(to + ".norm2", from + ".out_layers.0");
        names_.add(to + ".conv2", from + ".out_layers.3");
        if (weights_.has(from + ".skip_connection.weight")) names_.add(to + ".conv_shortcut", from + ".skip_connection");
    }

    void attention(const std::string& to, const std::string& from) {
        const int64_t channels = weights_.size(from + ".norm.weight", 0);
        const int64_t heads = settings_.num_head_channels ? channels / *settings_.num_head_channels : *settings_.num_heads;
        names_.add(to + ".group_norm", from + ".norm");
        int64_t part = 0;
        for (const char* name : {".to_q", ".to_k", ".to_v"})
            names_.add(to + name, from + ".qkv", part_of_qkv(part++, heads, settings_.use_new_attention_order));
        names_.add(to + ".to_out.0", from + ".proj_out", as_linear);
    }

private:
    const ForeignWeights& weights_;
    const OpenaiSettings& settings_;
    NameMap& names_;
};

// Returns attention_head_dim for layers of these channels; null means one head.
std::optional<int64_t> head_dim(const ForeignWeights& weights, const OpenaiSettings& settings, const std::set<int64_t>& channels) {
    if (!settings.num_heads && !settings.num_head_channels)
        user_error("openai.num_heads: missing; the file does not say how many heads its attention has",
                   "add --set num_heads=N or --set num_head_channels=N, as it was trained");
    std::set<int64_t> sizes;
    for (const int64_t count : channels) {
        const int64_t unit = settings.num_head_channels.value_or(settings.num_heads.value_or(1));
        if (count % unit != 0)
            user_error(fmt::format("openai.{}: {} does not divide the {} channels of an attention layer",
                                   settings.num_head_channels ? "num_head_channels" : "num_heads", unit, count));
        sizes.insert(settings.num_head_channels ? unit : count / unit);
    }
    if (sizes.size() == 1) return *sizes.begin();
    if (settings.num_heads == 1) return std::nullopt;
    weights.cannot_express(
        fmt::format("{} heads make heads of {} channels at its levels, UNet2DModel has one head size "
                    "(attention_head_dim) for all",
                    *settings.num_heads, fmt::join(sizes, " and ")));
}

// Row t of the result is their embedding of t·1000/T, computed in float32 and in their order of operations.
at::Tensor rescaled_times(int64_t T, int64_t width) {
    const int64_t half = width / 2;
    const at::Tensor t = at::arange(T, at::kFloat) * (1000.0 / static_cast<double>(T));
    const at::Tensor frequencies = (-std::log(10000.0) * at::arange(half, at::kFloat) / static_cast<double>(half)).exp();
    const at::Tensor angle = t.unsqueeze(1) * frequencies.unsqueeze(0);
    const at::Tensor embedding = at::cat({angle.cos(), angle.sin()}, 1);
    return width % 2 == 1 ? at::constant_pad_nd(embedding, {0, 1}) : embedding;
}

SchedulerConfig openai_scheduler(const OpenaiSettings& settings, bool learned_range) {
    SchedulerConfig scheduler;
    scheduler.num_train_timesteps = settings.diffusion_steps;
    scheduler.beta_schedule = settings.noise_schedule == "cosine" ? "squaredcos_cap_v2" : "linear";
    scheduler.beta_start = 1e-4 * 1000 / static_cast<double>(settings.diffusion_steps);
    scheduler.beta_end = 0.02 * 1000 / static_cast<double>(settings.diffusion_steps);
    if (scheduler.beta_schedule == "linear" && scheduler.beta_end > 1)
        user_error(fmt::format("openai.diffusion_steps: {} make the last beta of the linear schedule {}, which is more than 1",
                               settings.diffusion_steps, scheduler.beta_end));
    scheduler.variance_type = learned_range ? "learned_range" : settings.sigma_small ? "fixed_small" : "fixed_large";
    scheduler.prediction_type = settings.predict_xstart ? "sample" : "epsilon";
    scheduler.timestep_spacing = "linspace";  // as in their respacing, the first and the last time are included
    return scheduler;
}

// The channels in and out, with those of the first level and of its time embedding.
void read_channels(const ForeignWeights& weights, UNetConfig& unet) {
    unet.in_channels = weights.size("input_blocks.0.0.weight", 1);
    unet.out_channels = weights.size("out.2.weight", 0);
    const bool fits = unet.out_channels == unet.in_channels || unet.out_channels == 2 * unet.in_channels;
    if (!fits || unet.in_channels == 6)
        weights.cannot_express(
            fmt::format("it takes {} channels and gives {}; super-resolution, which is told a small picture too, is "
                        "not supported",
                        unet.in_channels, unet.out_channels));
    const int64_t first = weights.size("input_blocks.0.0.weight", 0), width = weights.size("time_embed.0.weight", 1);
    if (width != first)
        weights.cannot_express(
            fmt::format("its time embedding begins {} wide and its first level has {} channels (channel_mult[0] is not "
                        "1), UNet2DModel has one number for both",
                        width, first));
    if (const int64_t D = weights.size("time_embed.0.weight", 0); D != 4 * first) unet.time_embedding_dim = D;
}

void read_levels(const ForeignWeights& weights, const OpenaiSettings& settings, const Plan& plan, UNetConfig& unet) {
    std::set<int64_t> attention_channels{weights.size("middle_block.1.norm.weight", 0)};
    unet.block_out_channels.clear();
    unet.down_block_types.clear();
    unet.up_block_types.clear();
    for (int64_t level = 0; level < plan.levels; ++level) {
        const std::string down = plan.down_block(level, 0), up = plan.up_block(plan.levels - 1 - level, 0);
        const int64_t channels = weights.size(down + ".0.out_layers.0.weight", 0);
        unet.block_out_channels.push_back(channels);
        if (attends(weights, down) || attends(weights, up)) attention_channels.insert(channels);
        unet.down_block_types.push_back(down_block_type(attends(weights, down), level + 1 < plan.levels, plan.down_by_resnet));
        unet.up_block_types.insert(unet.up_block_types.begin(), up_block_type(attends(weights, up), level > 0, plan.up_by_resnet));
    }
    unet.attention_head_dim = head_dim(weights, settings, attention_channels);
}

UNetConfig read_unet(const ForeignWeights& weights, const OpenaiSettings& settings, const Plan& plan) {
    UNetConfig unet;
    read_channels(weights, unet);
    unet.sample_size = square_size(settings.image_size, "openai");
    unet.layers_per_block = plan.layers;
    unet.norm_num_groups = 32;
    unet.attn_norm_num_groups = 32;
    unet.norm_eps = 1e-5;
    unet.downsample_padding = 1;
    unet.flip_sin_to_cos = true;
    unet.freq_shift = 0;
    unet.downsample_type = plan.down_by_resnet ? "resnet" : "conv";
    unet.upsample_type = plan.up_by_resnet ? "resnet" : "conv";
    unet.dropout = settings.dropout;
    const std::string first_block = plan.down_block(0, 0) + ".0";
    if (weights.size(first_block + ".emb_layers.1.weight", 0) == 2 * weights.size(first_block + ".out_layers.0.weight", 0))
        unet.resnet_time_scale_shift = "scale_shift";
    if (weights.has("label_emb.weight")) unet.num_class_embeds = weights.size("label_emb.weight", 0);
    read_levels(weights, settings, plan, unet);
    return unet;
}

// Where they told the network t·1000/T, a learned embedding holds those values.
void settle_times(const OpenaiSettings& settings, bool rescale_is_given, ForeignNetwork& network) {
    const int64_t T = settings.diffusion_steps;
    if (T == 1000) return;
    if (!rescale_is_given)
        user_error(
            "openai.rescale_timesteps: missing; with diffusion_steps other than 1000 it decides which times the network is told",
            "add --set rescale_timesteps=true (improved-diffusion's default) or =false (guided-diffusion's)");
    if (!settings.rescale_timesteps) return;
    network.unet.time_embedding_type = "learned";  // such a table can hold any embedding of 0 … T−1
    network.unet.num_train_timesteps = T;
    network.made.emplace_back("time_proj.weight", rescaled_times(T, network.unet.block_out_channels.front()));
}

void name_down_blocks(const ForeignWeights& weights, const Plan& plan, Namer& namer, NameMap& names) {
    for (int64_t level = 0; level < plan.levels; ++level) {
        const std::string to = fmt::format("down_blocks.{}", level);
        for (int64_t i = 0; i < plan.layers; ++i) {
            const std::string from = plan.down_block(level, i);
            namer.resnet(fmt::format("{}.resnets.{}", to, i), from + ".0");
            if (attends(weights, from)) namer.attention(fmt::format("{}.attentions.{}", to, i), from + ".1");
        }
        if (level + 1 == plan.levels) continue;
        if (plan.down_by_resnet)
            namer.resnet(to + ".downsamplers.0", plan.downsampler(level));
        else
            names.add(to + ".downsamplers.0.conv", plan.downsampler(level) + ".op");
    }
}

void name_up_blocks(const ForeignWeights& weights, const Plan& plan, Namer& namer, NameMap& names) {
    for (int64_t index = 0; index < plan.levels; ++index) {
        const std::string to = fmt::format("up_blocks.{}", index);
        for (int64_t i = 0; i <= plan.layers; ++i) {
            const std::string from = plan.up_block(index, i);
            namer.resnet(fmt::format("{}.resnets.{}", to, i), from + ".0");
            if (attends(weights, from)) namer.attention(fmt::format("{}.attentions.{}", to, i), from + ".1");
        }
        if (index + 1 == plan.levels) continue;
        const std::string sampler = upsampler(weights, plan.up_block(index, plan.layers));
        if (plan.up_by_resnet)
            namer.resnet(to + ".upsamplers.0", sampler);
        else
            names.add(to + ".upsamplers.0.conv", sampler + ".conv");
    }
}

ForeignNetwork describe_openai(const ForeignWeights& weights, const Json& json) {
    OpenaiSettings settings;
    openai_fields().read(settings, json, "openai");
    const Plan plan = find_plan(weights);
    ForeignNetwork network;
    network.unet = read_unet(weights, settings, plan);
    settle_times(settings, json.contains("rescale_timesteps"), network);
    network.scheduler = openai_scheduler(settings, network.unet.out_channels == 2 * network.unet.in_channels);

    NameMap& names = network.names;
    Namer namer(weights, settings, names);
    names.add("conv_in", "input_blocks.0.0");
    names.add("time_embedding.linear_1", "time_embed.0");
    names.add("time_embedding.linear_2", "time_embed.2");
    if (network.unet.num_class_embeds) names.add_tensor("class_embedding.weight", "label_emb.weight");
    name_down_blocks(weights, plan, namer, names);
    namer.resnet("mid_block.resnets.0", "middle_block.0");
    namer.attention("mid_block.attentions.0", "middle_block.1");
    namer.resnet("mid_block.resnets.1", "middle_block.2");
    name_up_blocks(weights, plan, namer, names);
    names.add("conv_norm_out", "out.0");
    names.add("conv_out", "out.2");
    return network;
}

std::vector<FieldInfo> openai_settings() { return openai_fields().describe(); }

}  // namespace

ForeignFormat openai_format() { return {"openai", "input_blocks.0.0.weight", openai_settings, describe_openai}; }

}  // namespace ddpm::checkpoint
