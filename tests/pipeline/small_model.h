#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "nn/networks.h"

namespace ddpm::test {

// Writes a pipeline of diffusers: a small network of pictures [3, 8, 8] with this many labels, or without any.
inline void write_small_pipeline(const std::filesystem::path& folder, std::optional<int64_t> labels,
                                 const DiffusionOptions& diffusion = {}) {
    UNetConfig config = plain_network();
    config.sample_size = {8, 8};
    config.num_class_embeds = labels;
    UNet2D unet(config);
    initialize_weights(unet, 5);
    fill_by_formula(unet);
    write_pipeline(folder, config, to_scheduler(diffusion), named_tensors(unet));
}

}  // namespace ddpm::test
