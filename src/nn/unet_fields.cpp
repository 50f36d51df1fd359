#include "ddpm/nn/unet_fields.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

namespace ddpm {

std::vector<std::string> read_block_types(const Json& value, const std::string& path, const std::vector<std::string>& known) {
    if (!value.is_array()) wrong_value(value, path, "a list of block types");
    std::vector<std::string> types;
    for (size_t i = 0; i < value.size(); ++i) {
        const std::string item_path = fmt::format("{}[{}]", path, i);
        std::string type = read_text(value[i], item_path);
        if (type.rfind("UNetRes", 0) == 0) type.erase(0, 7);
        if (std::find(known.begin(), known.end(), type) == known.end())
            key_error(item_path, fmt::format("block type {} is not supported; supported: {}", brief(value[i]), join(known)));
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

void check_unet(const UNetConfig& config, const std::string& path) {
    const auto refuse = [&](const char* key, const std::string& message) { key_error(fmt::format("{}.{}", path, key), message); };
    const int64_t levels = config.levels();
    if (levels < 1 || levels > 16) refuse("block_out_channels", fmt::format("{} levels, expected 1 … 16", levels));
    const auto check_length = [&](const char* key, const std::vector<std::string>& types) {
        if (static_cast<int64_t>(types.size()) != levels)
            refuse(key, fmt::format("{} entries, expected one for each of the {} block_out_channels", types.size(), levels));
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
        refuse("attn_norm_num_groups",
               fmt::format("{} does not divide the {} channels of the last level", *config.attn_norm_num_groups, channels.back()));
    if (config.attention_head_dim)
        for (int64_t i = 0; i < levels; ++i) {
            const bool attends = has_attention(config.down_block_types[i]) ||
                                 has_attention(config.up_block_types[levels - 1 - i]) || (mid_attention && i == levels - 1);
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
