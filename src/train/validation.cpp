#include "train/validation.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "ddpm/core/random.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/image/pixels.h"
#include "ddpm/nn/unet.h"

namespace ddpm::train {

namespace {

constexpr int64_t kBins = 8;

}  // namespace

Validation::Validation(const TrainJob& job, const NoiseSchedule& schedule)
    : job_(job), schedule_(schedule), bins_(std::min(kBins, schedule.size())) {
    draws_ = (job.held_out->size() + bins_ - 1) / bins_ * bins_;
}

int64_t Validation::bin_begin(int64_t bin) const { return bin * schedule_.size() / bins_; }

Validation::Losses Validation::measure(UNet2D& network) const {
    const at::NoGradGuard no_grad;
    const bool was_training = network.is_training();
    network.eval();
    const Objective objective = make_objective(schedule_, job_.diffusion, job_.train);
    const Dataset& dataset = *job_.held_out;
    const int64_t channels = dataset.channels(), height = dataset.height(), width = dataset.width();
    std::vector<uint8_t> pixels(static_cast<size_t>(channels * height * width));
    std::vector<double> sums(static_cast<size_t>(bins_));
    for (int64_t first = 0; first < draws_; first += job_.train.batch_size) {
        const int64_t count = std::min(job_.train.batch_size, draws_ - first);
        const at::Tensor x_start = at::empty({count, channels, height, width}), noise = at::empty_like(x_start);
        const at::Tensor t = at::empty({count}, at::kLong), y = at::empty({count}, at::kLong);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t draw = first + i, bin = draw % bins_;
            const auto stream = [&](uint64_t index) {
                return RandomStream(job_.seed, Purpose::validation, static_cast<uint64_t>(draw), index);
            };
            RandomStream augmentation = stream(0), timestep = stream(1);
            y.data_ptr<int64_t>()[i] = dataset.read(draw % dataset.size(), augmentation, pixels.data());
            to_signed_unit(pixels.data(), static_cast<int>(height), static_cast<int>(width), static_cast<int>(channels),
                           x_start[i].data_ptr<float>());
            t.data_ptr<int64_t>()[i] =
                bin_begin(bin) + static_cast<int64_t>(timestep.below(static_cast<uint64_t>(bin_begin(bin + 1) - bin_begin(bin))));
            stream(2).fill_normal(noise[i].data_ptr<float>(), pixels.size());
        }
        const c10::Device device = job_.runtime.device;
        const at::Tensor times = t.to(device), labels = job_.unet.has_classes() ? y.to(device) : at::Tensor();
        const auto model = [&](const at::Tensor& x_t) {
            const PrecisionGuard precision(device, job_.train.precision);
            return network.forward(x_t, times, labels);
        };
        const at::Tensor losses =
            objective.judge(model, x_start.to(device), times, noise.to(device)).mse.to(at::kCPU, at::kDouble).contiguous();
        for (int64_t i = 0; i < count; ++i) sums[static_cast<size_t>((first + i) % bins_)] += losses.const_data_ptr<double>()[i];
    }
    network.train(was_training);
    Losses result;
    const int64_t looks = draws_ / bins_;  // evaluations in each bin
    for (const double sum : sums) {
        result.by_bin.push_back(sum / static_cast<double>(looks));
        result.mean += result.by_bin.back() / static_cast<double>(bins_);
    }
    return result;
}

}  // namespace ddpm::train
