#include "nn/unet_config.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

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

}  // namespace

std::vector<std::string> read_block_types(const Json& value, const std::string& path,
                                          const std::vector<std::string>& known) {
    if (!value.is_array()) wrong_value(value, path, "a list of block types");
    std::vector<std::string> types;
    for (size_t i = 0; i < value.size(); ++i) {
        const std::string item_path = fmt::format("{}[{}]", path, i);
        std::string type = read_text(value[i], item_path);
        if (type.rfind("UNetRes", 0) == 0) type.erase(0, 7);
        if (std::find(known.begin(), known.end(), type) == known.end())
            user_error(fmt::format("{}: block type {} is not supported; supported: {}", item_path, brief(value[i]),
                                   join(known)));
        types.push_back(std::move(type));
    }
    return types;
}

std::array<int64_t, 2> read_sample_size(const Json& value, const std::string& path) {
    const Range range = Range::between(1, 65536);
    if (!value.is_array()) {
        const int64_t size = read_integer(value, path, range);
        return {size, size};
    }
    const std::vector<int64_t> sizes = read_integers(value, path, range);
    if (sizes.size() != 2) wrong_value(value, path, "one number or [height, width]");
    return {sizes[0], sizes[1]};
}

Json write_sample_size(const std::optional<std::array<int64_t, 2>>& size) {
    if (!size) return nullptr;
    return (*size)[0] == (*size)[1] ? Json((*size)[0]) : Json(*size);
}

UNetConfig unet_from_json(const Json& json, const std::string& source) {
    if (!json.is_object()) wrong_value(json, source, "an object");
    const std::vector<std::string> known = unet_fields().names();
    Json ours = Json::object();
    for (const auto& item : json.items()) {
        if (item.key().rfind('_', 0) == 0) {
            if (item.key() == "_class_name" && item.value() != "UNet2DModel")
                user_error(
                    fmt::format("{}: _class_name is {}, only UNet2DModel is supported", source, brief(item.value())));
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
        // Whole numbers as diffusers writes them: 1, not 1.0.
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

// The same network with every key in its plainest words, and null where it has no effect.
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
    // One head over all channels, where all attention is of one width.
    std::vector<int64_t> widths;
    for (int64_t i = 0; i < config.levels(); ++i)
        if (has_attention(config.down_block_types[i]) ||
            has_attention(config.up_block_types[config.levels() - 1 - i]) || (mid_attends && i == config.levels() - 1))
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
            differences.push_back(
                fmt::format("{} ({} there, {} here)", item.key(), brief(item.value()), brief(here[item.key()])));
    return differences;
}

void check_unet(const UNetConfig& config, const std::string& path) {
    const auto refuse = [&](const char* key, const std::string& message) {
        user_error(fmt::format("{}.{}: {}", path, key, message));
    };
    const int64_t levels = config.levels();
    if (levels < 1 || levels > 16) refuse("block_out_channels", fmt::format("{} levels, expected 1 … 16", levels));
    const auto check_length = [&](const char* key, const std::vector<std::string>& types) {
        if (static_cast<int64_t>(types.size()) != levels)
            refuse(key,
                   fmt::format("{} entries, expected one for each of the {} block_out_channels", types.size(), levels));
    };
    check_length("down_block_types", config.down_block_types);
    check_length("up_block_types", config.up_block_types);

    const std::vector<int64_t>& channels = config.block_out_channels;
    for (const int64_t count : channels)
        if (count % config.norm_num_groups != 0)
            refuse("norm_num_groups", fmt::format("{} does not divide the {} channels of a level in block_out_channels",
                                                  config.norm_num_groups, count));
    const bool mid_attention = config.mid_block_type && config.add_attention;
    if (config.attn_norm_num_groups && mid_attention && channels.back() % *config.attn_norm_num_groups != 0)
        refuse("attn_norm_num_groups", fmt::format("{} does not divide the {} channels of the last level",
                                                   *config.attn_norm_num_groups, channels.back()));
    if (config.attention_head_dim)
        for (int64_t i = 0; i < levels; ++i) {
            const bool attends = has_attention(config.down_block_types[i]) ||
                                 has_attention(config.up_block_types[levels - 1 - i]) ||
                                 (mid_attention && i == levels - 1);
            if (attends && *config.attention_head_dim > channels[i])
                refuse("attention_head_dim", fmt::format("{} is more than the {} channels of a level with attention",
                                                         *config.attention_head_dim, channels[i]));
        }
    if (config.dropout >= 1) refuse("dropout", "1 would drop everything, expected less than 1");
    if (config.time_embedding_type == "learned" && !config.num_train_timesteps)
        refuse("num_train_timesteps", "null, expected a number of rows for time_embedding_type \"learned\"");
    const int64_t half = channels.front() / 2;
    if (config.time_embedding_type == "positional" && static_cast<double>(half) == config.freq_shift)
        refuse("freq_shift", fmt::format("half of block_out_channels[0] ({}) less freq_shift is 0, so no frequency is "
                                         "defined",
                                         half));
}

}  // namespace ddpm
