#include "ddpm/checkpoint/unet_json.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "ddpm/nn/unet_fields.h"

namespace ddpm {

namespace {

const FieldTable<UNetConfig>& unet_fields() {
    static const FieldTable<UNetConfig> table = [] {
        FieldTable<UNetConfig> fields;
        fields.add("in_channels", &UNetConfig::in_channels, Range::between(1, 65536), "channels of x_t")
            .add("out_channels", &UNetConfig::out_channels, Range::between(1, 65536), "channels of the output")
            .custom(
                {"sample_size", "integer, [height, width] or null", {}, {}, "size of the images"},
                [](UNetConfig& config, const Json& value, const std::string& path) {
                    if (value.is_null())
                        config.sample_size.reset();
                    else
                        config.sample_size = read_sample_size(value, path);
                },
                [](const UNetConfig& config) { return write_sample_size(config.sample_size); })
            .custom(
                {"down_block_types", "list of texts", {}, join(down_block_names()), "finest level first"},
                [](UNetConfig& config, const Json& value, const std::string& path) {
                    config.down_block_types = read_block_types(value, path, down_block_names());
                },
                [](const UNetConfig& config) { return Json(config.down_block_types); })
            .custom(
                {"up_block_types", "list of texts", {}, join(up_block_names()), "coarsest level first"},
                [](UNetConfig& config, const Json& value, const std::string& path) {
                    config.up_block_types = read_block_types(value, path, up_block_names());
                },
                [](const UNetConfig& config) { return Json(config.up_block_types); });
        add_unet_settings(fields);
        return fields;
    }();
    return table;
}

// What diffusers' EMAModel adds to the config.json of the network that it has averaged.
bool is_of_average(const std::string& key) {
    constexpr const char* keys[] = {"decay",     "min_decay", "optimization_step", "update_after_step", "use_ema_warmup",
                                    "inv_gamma", "power"};
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

}  // namespace

UNetConfig unet_from_json(const Json& json, const std::string& source) {
    if (!json.is_object()) wrong_value(json, source, "an object");
    const std::vector<std::string> known = unet_fields().names();
    Json ours = Json::object();
    for (const auto& item : json.items()) {
        if (item.key().rfind('_', 0) == 0) {
            if (item.key() == "_class_name" && item.value() != "UNet2DModel")
                user_error(fmt::format("{}: _class_name is {}, only UNet2DModel is supported", source, brief(item.value())));
        } else if (is_of_average(item.key())) {
            continue;
        } else if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
            const std::string near = nearest_name(item.key(), known);
            spdlog::warn("{}: unknown key {} is ignored{}", source, quote(item.key()),
                         near.empty() ? "" : fmt::format("; did you mean {}?", quote(near)));
        } else {
            ours[item.key()] = item.value();
        }
    }
    UNetConfig config;
    const std::string path = source + ": unet";
    unet_fields().read(config, ours, path);
    check_unet(config, path);
    return config;
}

Json unet_to_json(const UNetConfig& config) {
    const Json fields = unet_fields().write(config);
    std::map<std::string, Json> sorted;
    for (const auto& item : fields.items()) {
        const Json& value = item.value();
        // diffusers writes whole numbers without a fraction, 1 and not 1.0, except for dropout.
        const bool whole = value.is_number_float() && value.get<double>() == std::trunc(value.get<double>());
        sorted[item.key()] = whole && item.key() != "dropout" ? Json(value.get<int64_t>()) : value;
    }
    sorted["_class_name"] = "UNet2DModel";
    sorted["_diffusers_version"] = kDiffusersVersion;
    Json json = Json::object();
    for (auto& [key, value] : sorted) json[key] = std::move(value);
    return json;
}

namespace {

// Returns the same network with every key in its plainest form, and null where a key has no effect.
UNetConfig in_plain_words(UNetConfig config) {
    const auto any_attends = [](const std::vector<std::string>& types) {
        return std::any_of(types.begin(), types.end(), has_attention);
    };
    const bool mid_attends = config.mid_block_type && config.add_attention;
    config.sample_size.reset();
    config.dropout = 0;
    config.time_embedding_dim = config.time_width();
    if (config.act_fn == "swish") config.act_fn = "silu";
    if (!mid_attends)
        config.attn_norm_num_groups.reset();
    else if (!config.attn_norm_num_groups && config.resnet_time_scale_shift == "default")
        config.attn_norm_num_groups = config.norm_num_groups;
    if (config.time_embedding_type != "learned") config.num_train_timesteps.reset();
    if (config.time_embedding_type != "positional" && config.class_embed_type != "timestep") {
        config.flip_sin_to_cos = true;
        config.freq_shift = 0;
    }
    // If all attention has one width, a head of that width is one head over all channels, which is null.
    std::vector<int64_t> widths;
    for (int64_t i = 0; i < config.levels(); ++i)
        if (has_attention(config.down_block_types[i]) || has_attention(config.up_block_types[config.levels() - 1 - i]) ||
            (mid_attends && i == config.levels() - 1))
            widths.push_back(config.block_out_channels[i]);
    if (widths.empty() ||
        (std::equal(widths.begin() + 1, widths.end(), widths.begin()) && config.attention_head_dim == widths.front()))
        config.attention_head_dim.reset();
    if (!any_attends(config.down_block_types)) config.downsample_type = "conv";
    if (!any_attends(config.up_block_types)) config.upsample_type = "conv";
    return config;
}

}  // namespace

std::vector<std::string> compare_networks(const UNetConfig& theirs, const UNetConfig& ours) {
    const Json there = unet_to_json(in_plain_words(theirs)), here = unet_to_json(in_plain_words(ours));
    std::vector<std::string> differences;
    for (const auto& item : there.items())
        if (item.key().front() != '_' && item.value() != here[item.key()])
            differences.push_back(fmt::format("{} ({} there, {} here)", item.key(), brief(item.value()), brief(here[item.key()])));
    return differences;
}

}  // namespace ddpm
