#include "ddpm/checkpoint/describe.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm {

std::string describe_unet(const UNetConfig& config) {
    std::vector<std::string> parts;
    if (config.sample_size)
        parts.push_back(fmt::format("{}×{}, {} channel{}", (*config.sample_size)[0], (*config.sample_size)[1], config.in_channels,
                                    config.in_channels == 1 ? "" : "s"));
    parts.push_back(fmt::format("{} channels by level", fmt::join(config.block_out_channels, ", ")));
    parts.push_back(fmt::format("{} resnet{} each", config.layers_per_block, config.layers_per_block == 1 ? "" : "s"));
    std::vector<std::string> attention;
    for (size_t i = 0; i < config.down_block_types.size(); ++i)
        if (config.down_block_types[i].rfind("Attn", 0) == 0)
            attention.push_back(config.sample_size
                                    ? fmt::format("{}×{}", (*config.sample_size)[0] >> i, (*config.sample_size)[1] >> i)
                                    : fmt::format("level {}", i));
    if (config.mid_block_type && config.add_attention) attention.push_back("the middle");
    if (!attention.empty()) parts.push_back("attention at " + join(attention));
    if (config.class_embed_type)
        parts.push_back("class embedding " + *config.class_embed_type);
    else if (config.num_class_embeds)
        parts.push_back(fmt::format("{} classes", *config.num_class_embeds));
    return "UNet2DModel: " + join(parts, "; ");
}

std::string describe_scheduler(const SchedulerConfig& config) {
    std::string rule = config.trained_betas                          ? "betas of its own"
                       : config.beta_schedule == "squaredcos_cap_v2" ? "cosine (squaredcos_cap_v2)"
                                                                     : config.beta_schedule;
    if (!config.trained_betas && config.beta_schedule != "squaredcos_cap_v2")
        rule += fmt::format(" {} … {}", config.beta_start, config.beta_end);
    return fmt::format("{}, T = {}{}, predicts {}", rule, config.num_train_timesteps,
                       config.rescale_betas_zero_snr ? ", zero terminal SNR" : "", config.prediction_type);
}

}  // namespace ddpm
