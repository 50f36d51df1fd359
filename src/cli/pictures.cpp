#include "cli/pictures.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "cli/signals.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/grid.h"
#include "ddpm/image/pixels.h"
#include "ddpm/image/transform.h"
#include "ddpm/kernels/recording.h"
#include "ddpm/nn/unet.h"
#include "ddpm/nn/working_copy.h"

namespace ddpm {

int64_t label_of(const PictureSource& source, int64_t index) {
    if (!source.network.config().has_classes()) return -1;
    return source.label >= 0 ? source.label : index % std::max<int64_t>(source.classes, 1);
}

// The network at one time for all pictures, as a sampler asks for it.
class PictureMaker::Evaluator {
public:
    explicit Evaluator(const PictureSource& source) : source_(source) {
        const UNetConfig& config = source.network.config();
        if (records_on(source.runtime.device) && source.network.kernels().name == "fast")
            copy_ = std::make_unique<WorkingCopy>(source.network, source.precision == "bf16" ? at::kBFloat16 : at::kFloat);
        // Without labels all pictures are at the same time, and what the network takes of times is computed once for all of
        // them: a row for each.
        if (config.has_classes() || config.time_embedding_type == "fourier") return;
        const c10::InferenceMode no_gradients;
        const PrecisionGuard precision = guard();
        times_ = at::tensor(source.settings.timesteps).to(source.runtime.device);
        const std::vector<at::Tensor> conditions = copy_ ? copy_->conditions(times_) : source.network.conditions(times_);
        for (const at::Tensor& condition : conditions) widths_.push_back(condition.size(1));
        conditions_ = at::cat(conditions, 1);
    }

    at::Tensor operator()(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        if (!copy_) return evaluate(x_t, t, y);
        if (!recording_ || x_t_.sizes() != x_t.sizes()) {
            recording_.reset();
            x_t_ = at::empty_like(x_t);
            t_ = at::empty_like(t);
            if (y.defined()) y_ = at::empty_like(y);
            recording_.emplace(source_.runtime.device, [this] { answer_ = evaluate(x_t_, t_, y_); });
        }
        x_t_.copy_(x_t);
        t_.copy_(t);
        if (y.defined()) y_.copy_(y);
        recording_->run();
        return answer_;
    }

private:
    // Mixed precision: the working copy's own, or autocast's.
    PrecisionGuard guard() const { return PrecisionGuard(source_.runtime.device, copy_ ? "fp32" : source_.precision); }

    at::Tensor evaluate(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        const PrecisionGuard precision = guard();
        if (!conditions_.defined())
            return (copy_ ? copy_->forward(x_t, t, y) : source_.network.forward(x_t, t, y)).to(x_t.scalar_type());
        const at::Tensor row = conditions_.index_select(0, at::searchsorted(times_, t.slice(0, 0, 1)));
        const std::vector<at::Tensor> now = row.split_with_sizes(widths_, 1);
        return (copy_ ? copy_->forward(x_t, now) : source_.network.forward(x_t, now)).to(x_t.scalar_type());
    }

    const PictureSource& source_;
    std::unique_ptr<WorkingCopy> copy_;  // on a GPU
    at::Tensor times_, conditions_;      // [S], [S, Σ widths]
    std::vector<int64_t> widths_;
    std::optional<Recording> recording_;
    at::Tensor x_t_, t_, y_, answer_;
};

PictureMaker::PictureMaker(const PictureSource& source) : source_(source), evaluator_(std::make_unique<Evaluator>(source)) {}
PictureMaker::~PictureMaker() = default;

at::Tensor PictureMaker::draw(int64_t first, int64_t count, const StepCallback& on_step) {
    const c10::Device device = source_.runtime.device;
    const std::vector<int64_t> shape{source_.network.config().in_channels, source_.height, source_.width};
    const Network network = [this](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        return (*evaluator_)(x_t, t, y);
    };
    const NetworkDenoiser denoiser(network, source_.schedule.respaced(source_.settings.timesteps), source_.prediction_type,
                                   source_.predicts_variance);
    at::Tensor y;
    if (source_.network.config().has_classes()) {
        y = at::empty({count}, at::kLong);
        for (int64_t i = 0; i < count; ++i) y[i] = label_of(source_, first + i);
        y = y.to(device);
    }
    const at::Tensor x_T = source_.given ? source_.given->x_T.slice(0, first, first + count)
                                         : start_noise(source_.seed, first, count, shape, device);
    const NoiseSource noise = source_.given && source_.given->steps ? source_.given->step_noise(first, count)
                                                                    : step_noise(source_.seed, first, count, shape, device);
    return ddpm::draw(denoiser, x_T.to(device), y, source_.settings, noise, on_step).to(at::kCPU, at::kFloat).contiguous();
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
    PictureMaker maker(source);
    std::vector<Image> images;
    const int64_t total = config.train.sample_images;
    for (int64_t first = 0; first < total; first += config.train.batch_size)
        for (Image& image : to_images(maker.draw(first, std::min(config.train.batch_size, total - first), [&](const SamplingStep&) {
                 if (stop()) throw Stopped{};
             })))
            images.push_back(std::move(image));
    write_png(file, picture_grid(images));
}

}  // namespace ddpm
