#include "cli/preview.h"

#include <algorithm>
#include <utility>

#include "cli/signals.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/grid.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/pictures.h"

namespace ddpm::cli {

namespace {

constexpr const char* kPreviewSampler = "dpmpp_2m_sde";  // named in the help of train.sample_steps; docs/gallery.md has its table

}  // namespace

SampleOptions preview_sampling(const Config& config) {
    if (config.train.sample_steps == 0) return config.sample;
    SampleOptions options;
    options.sampler = kPreviewSampler;
    options.steps = std::min(config.train.sample_steps, config.diffusion.timesteps);
    return options;
}

Session preview_session(UNet2D& network, const Config& config, const std::vector<std::string>& class_names, uint64_t seed) {
    Model model{.source = "the training",
                .network = {std::shared_ptr<void>(), &network},  // the training owns it
                .schedule = make_schedule(config.diffusion),
                .prediction_type = parse_prediction_type(config.diffusion.prediction_type),
                .predicts_variance = parse_variance_type(config.diffusion.variance_type) == VarianceType::learned_range,
                .height = config.dataset.height,
                .width = config.dataset.width,
                .class_names = class_names,
                .config = write_config(config),  // says whether there is an empty label
                .noise_offset = config.train.noise_offset};
    SampleOptions fallback;
    fallback.variance = config.diffusion.variance_type;
    SessionOptions options;
    options.sample = preview_sampling(config);
    // The section's clipping holds for the grids too.
    model.sampling = config.train.sample_steps == 0 ? fallback : filled_from(config.sample, fallback);
    options.seed = seed;
    options.precision = config.train.precision;
    return Session(std::move(model), options);
}

void draw_preview(UNet2D& network, const Config& config, const std::vector<std::string>& class_names,
                  const std::filesystem::path& file, const std::function<bool()>& stop) {
    Session session = preview_session(network, config, class_names, static_cast<uint64_t>(config.seed));
    std::vector<Image> images;
    const int64_t total = config.train.sample_images;
    for (int64_t first = 0; first < total; first += config.train.batch_size)
        for (Image& image :
             to_images(session.sample(first, std::min(config.train.batch_size, total - first), [&](const SamplingStep&) {
                 if (stop()) throw Stopped{};
             })))
            images.push_back(std::move(image));
    write_png(file, make_readable_grid(images), software_text());
}

}  // namespace ddpm::cli
