#include "cli/pictures.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "cli/signals.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/grid.h"
#include "ddpm/image/pixels.h"
#include "ddpm/image/transform.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

int64_t label_of(const PictureSource& source, int64_t index) {
    if (!source.network.config().has_classes()) return -1;
    return source.label >= 0 ? source.label : index % std::max<int64_t>(source.classes, 1);
}

namespace {

// Without labels all pictures are at the same time, and what the network takes of times is computed once for all of them.
// On a GPU to look at t would mean to wait for it.
bool shares_times(const PictureSource& source) {
    const UNetConfig& config = source.network.config();
    return source.runtime.device.is_cpu() && !config.has_classes() && config.time_embedding_type != "fourier";
}

Network network_of(const PictureSource& source) {
    const auto guard = [&source] { return PrecisionGuard(source.runtime.device, source.precision); };
    if (!shares_times(source))
        return [&source, guard](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
            const PrecisionGuard precision = guard();
            return source.network.forward(x_t, t, y).to(x_t.scalar_type());
        };
    const std::vector<int64_t>& times = source.settings.timesteps;
    std::vector<at::Tensor> conditions;
    {
        const c10::InferenceMode no_gradients;
        const PrecisionGuard precision = guard();
        conditions = source.network.conditions(at::tensor(times));
    }
    return [&source, guard, &times, conditions](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor&) {
        const PrecisionGuard precision = guard();
        const auto row = std::lower_bound(times.begin(), times.end(), t.const_data_ptr<int64_t>()[0]) - times.begin();
        std::vector<at::Tensor> now;
        for (const at::Tensor& all : conditions) now.push_back(all.slice(0, row, row + 1));
        return source.network.forward(x_t, now).to(x_t.scalar_type());
    };
}

}  // namespace

at::Tensor draw_batch(const PictureSource& source, int64_t first, int64_t count, const StepCallback& on_step) {
    const c10::Device device = source.runtime.device;
    const std::vector<int64_t> shape{source.network.config().in_channels, source.height, source.width};
    const Network network = network_of(source);
    const NetworkDenoiser denoiser(network, source.schedule.respaced(source.settings.timesteps), source.prediction_type,
                                   source.predicts_variance);
    at::Tensor y;
    if (source.network.config().has_classes()) {
        y = at::empty({count}, at::kLong);
        for (int64_t i = 0; i < count; ++i) y[i] = label_of(source, first + i);
        y = y.to(device);
    }
    const at::Tensor x_T = source.given ? source.given->x_T.slice(0, first, first + count)
                                        : start_noise(source.seed, first, count, shape);
    const NoiseSource noise = source.given && source.given->steps ? source.given->step_noise(first, count)
                                                                  : step_noise(source.seed, first, count, shape);
    return draw(denoiser, x_T.to(device), y, source.settings, noise, on_step).to(at::kCPU, at::kFloat).contiguous();
}

std::vector<Image> to_images(const at::Tensor& batch) {
    std::vector<Image> images;
    for (int64_t i = 0; i < batch.size(0); ++i)
        images.push_back(from_signed_unit(batch[i].contiguous().const_data_ptr<float>(), static_cast<int>(batch.size(1)),
                                          static_cast<int>(batch.size(2)), static_cast<int>(batch.size(3))));
    return images;
}

Image picture_grid(const std::vector<Image>& images, int columns) {
    constexpr int readable = 64;  // pixels
    const int factor = std::max(1, readable / std::max(images.front().width, images.front().height));
    std::vector<Image> enlarged;
    for (const Image& image : images) enlarged.push_back(enlarge(image, factor));
    return make_grid(enlarged, columns);
}

void draw_preview(UNet2D& network, const Config& config, int64_t classes, const Runtime& runtime,
                  const std::filesystem::path& file, const std::function<bool()>& stop) {
    const NoiseSchedule schedule = make_schedule(config.diffusion);
    SampleOptions fallback;
    fallback.variance = config.diffusion.variance_type;
    PictureSource source{network, schedule, parse_prediction_type(config.diffusion.prediction_type),
                         resolve_sampling(config.sample, fallback, schedule), config.dataset.height, config.dataset.width};
    source.seed = static_cast<uint64_t>(config.seed);
    source.precision = config.train.precision;
    source.runtime = runtime;
    source.classes = classes;
    std::vector<Image> images;
    const int64_t total = config.train.sample_images;
    for (int64_t first = 0; first < total; first += config.train.batch_size)
        for (Image& image : to_images(draw_batch(source, first, std::min(config.train.batch_size, total - first),
                                              [&](const SamplingStep&) {
                                                  if (stop()) throw Stopped{};
                                              })))
            images.push_back(std::move(image));
    write_png(file, picture_grid(images));
}

}  // namespace ddpm
