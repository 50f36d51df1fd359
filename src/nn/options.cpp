#include "ddpm/nn/options.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/nn/unet_fields.h"

namespace ddpm {

ModelOptions::ModelOptions() {
    block_out_channels = {64, 128, 128};
    attention_head_dim = std::nullopt;
    downsample_padding = 0;
    flip_sin_to_cos = false;
    freq_shift = 1;
    norm_eps = 1e-6;
}

namespace {

using BlockTypes = std::optional<std::vector<std::string>>;

void add_block_types(FieldTable<ModelOptions>& fields, const char* name, BlockTypes ModelOptions::*member,
                     const std::vector<std::string>& known, const char* meaning) {
    fields.custom(
        {name, "list of texts or null", {}, join(known), meaning},
        [member, known](ModelOptions& options, const Json& value, const std::string& path) {
            if (value.is_null())
                options.*member = std::nullopt;
            else
                options.*member = read_block_types(value, path, known);
        },
        [member](const ModelOptions& options) { return json_or_null(options.*member); });
}

// The larger side of the feature maps of each level, finest first.
std::vector<int64_t> level_sizes(int64_t levels, int64_t height, int64_t width) {
    std::vector<int64_t> sizes;
    for (int64_t i = 0; i < levels; ++i) sizes.push_back(std::max(height, width) >> i);
    return sizes;
}

// "28 or 32"
std::string nearest_multiples(int64_t size, int64_t divisor) {
    const int64_t below = size / divisor * divisor;
    return below == 0 ? fmt::format("{}", divisor) : fmt::format("{} or {}", below, below + divisor);
}

void check_size(int64_t levels, int64_t height, int64_t width) {
    if (levels < 1 || levels > 16) key_error("model.block_out_channels", fmt::format("{} levels, expected 1 … 16", levels));
    const int64_t divisor = int64_t{1} << (levels - 1);
    std::vector<std::string> hints;
    if (height % divisor != 0) hints.push_back(fmt::format("height {}", nearest_multiples(height, divisor)));
    if (width % divisor != 0) hints.push_back(fmt::format("width {}", nearest_multiples(width, divisor)));
    if (!hints.empty())
        key_error("model.block_out_channels", fmt::format("{} levels need a height and width divisible by {}, the images "
                                                          "are {}×{} (height×width); nearest: {}",
                                                          levels, divisor, height, width, join(hints, ", ")));
}

void check_agreement(const ModelOptions& options, int64_t height, int64_t width, int64_t channels, bool predicts_variance) {
    if (options.sample_size && *options.sample_size != std::array<int64_t, 2>{height, width})
        key_error("model.sample_size", fmt::format("got {}, but dataset has images of {}×{} (height×width)",
                                                   brief(write_sample_size(options.sample_size)), height, width));
    if (options.in_channels && *options.in_channels != channels)
        key_error("model.in_channels", fmt::format("got {}, but dataset.channels is {}", *options.in_channels, channels));
    if (!options.out_channels || *options.out_channels == channels * (predicts_variance ? 2 : 1)) return;
    if (predicts_variance)
        key_error("model.out_channels", fmt::format("got {}, but dataset.channels is {} and a network that predicts a variance too "
                                                    "(diffusion.variance_type learned_range) has twice as many",
                                                    *options.out_channels, channels));
    key_error("model.out_channels", fmt::format("got {}, but dataset.channels is {}", *options.out_channels, channels),
              *options.out_channels == 2 * channels ? "a network that predicts a variance too is of diffusion.variance_type "
                                                      "learned_range"
                                                    : "");
}

}  // namespace

const FieldTable<ModelOptions>& model_fields() {
    static const FieldTable<ModelOptions> table = [] {
        FieldTable<ModelOptions> fields;
        fields.ignore_underscored();
        fields.custom(
            {"attention_resolutions",
             "list of integers",
             {},
             Range::at_least(1).text(),
             "levels with self-attention, by the larger side of their feature map in pixels"},
            [](ModelOptions& options, const Json& value, const std::string& path) {
                options.attention_resolutions_given = !value.is_null();
                if (options.attention_resolutions_given)
                    options.attention_resolutions = read_integers(value, path, Range::at_least(1));
            },
            [](const ModelOptions& options) {
                return options.down_block_types ? Json(nullptr) : Json(options.attention_resolutions);
            });
        add_unet_settings(fields);
        add_block_types(fields, "down_block_types", &ModelOptions::down_block_types, down_block_names(),
                        "instead of attention_resolutions: the blocks on the way down, finest level first");
        add_block_types(fields, "up_block_types", &ModelOptions::up_block_types, up_block_names(),
                        "the blocks on the way up, coarsest level first");
        fields
            .custom(
                {"sample_size", "integer, [height, width] or null", {}, {}, "when given, dataset.image_size"},
                [](ModelOptions& options, const Json& value, const std::string& path) {
                    if (value.is_null())
                        options.sample_size.reset();
                    else
                        options.sample_size = read_sample_size(value, path);
                },
                [](const ModelOptions& options) { return write_sample_size(options.sample_size); })
            .add("in_channels", &ModelOptions::in_channels, Range::between(1, 65536), "when given, dataset.channels")
            .add("out_channels", &ModelOptions::out_channels, Range::between(1, 65536),
                 "when given, dataset.channels; twice that with diffusion.variance_type learned_range");
        return fields;
    }();
    return table;
}

UNetConfig resolve_unet(const ModelOptions& options, int64_t height, int64_t width, int64_t channels, bool predicts_variance) {
    if (options.down_block_types.has_value() != options.up_block_types.has_value())
        key_error(options.down_block_types ? "model.up_block_types" : "model.down_block_types",
                  fmt::format("missing, {} is given", options.down_block_types ? "down_block_types" : "up_block_types"));
    if (options.down_block_types && options.attention_resolutions_given)
        key_error("model.attention_resolutions", "given together with down_block_types, expected one of the two");
    const int64_t levels = static_cast<int64_t>(options.block_out_channels.size());
    check_size(levels, height, width);
    check_agreement(options, height, width, channels, predicts_variance);

    UNetConfig config;
    static_cast<UNetSettings&>(config) = options;
    config.sample_size = {height, width};
    config.in_channels = channels;
    config.out_channels = channels * (predicts_variance ? 2 : 1);
    if (options.down_block_types) {
        config.down_block_types = *options.down_block_types;
        config.up_block_types = *options.up_block_types;
    } else {
        const std::vector<int64_t> sizes = level_sizes(levels, height, width);
        const std::vector<int64_t>& wanted = options.attention_resolutions;
        for (size_t i = 0; i < wanted.size(); ++i)
            if (options.attention_resolutions_given && std::find(sizes.begin(), sizes.end(), wanted[i]) == sizes.end())
                key_error(fmt::format("model.attention_resolutions[{}]", i),
                          fmt::format("no level has the size {}, expected one of {}", wanted[i], fmt::join(sizes, ", ")));
        config.down_block_types.clear();
        config.up_block_types.clear();
        for (const int64_t size : sizes) {
            const bool attends = std::find(wanted.begin(), wanted.end(), size) != wanted.end();
            config.down_block_types.push_back(attends ? "AttnDownBlock2D" : "DownBlock2D");
            config.up_block_types.insert(config.up_block_types.begin(), attends ? "AttnUpBlock2D" : "UpBlock2D");
        }
    }
    check_unet(config, "model");
    return config;
}

ModelOptions settle_model(ModelOptions options, int64_t height, int64_t width) {
    if (options.attention_resolutions_given || options.down_block_types) return options;
    const auto sizes = level_sizes(static_cast<int64_t>(options.block_out_channels.size()), height, width);
    std::erase_if(options.attention_resolutions,
                  [&](int64_t wanted) { return std::find(sizes.begin(), sizes.end(), wanted) == sizes.end(); });
    return options;
}

}  // namespace ddpm
