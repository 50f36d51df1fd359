#include "ddpm/train/step.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "ddpm/core/random.h"
#include "ddpm/diffusion/timestep_sampling.h"
#include "ddpm/kernels/noise.h"
#include "ddpm/kernels/recording.h"
#include "ddpm/nn/unet.h"
#include "ddpm/nn/working_copy.h"

namespace ddpm {

// One micro-batch on a GPU as a recording. Its inputs keep their places in memory, and a working copy of the network computes the
// gradients.
struct TrainingStep::OnGpu {
    WorkingCopy network;
    at::Tensor x_start, t, noise, seen_noise, y, dropout_seeds;
    at::Tensor x_start_here, t_here, y_here, dropout_seeds_here;  // on the CPU, pinned, so that copying does not wait
    at::Tensor loss;
    Recording recording;

    OnGpu(const TrainingStep& step, const Batch& batch)
        : network(step.network_, step.options_.precision == "bf16" ? at::kBFloat16 : at::kFloat),
          recording(step.runtime_.device, [this, &step] {
              network.refresh();
              network.clear_gradients();
              const auto model = [this](const at::Tensor& x_t) { return network.forward(x_t, t, y); };
              loss = step.objective_.judge(model, x_start, t, noise, seen_noise).loss.mean();
              (loss / static_cast<double>(step.options_.gradient_accumulation_steps)).backward();
          }) {
        const std::vector<int64_t> sizes{batch.count, batch.channels, batch.height, batch.width};
        const auto make = [&](at::IntArrayRef shape, at::ScalarType type, at::Tensor& here, at::Tensor& there) {
            here = at::empty(shape, at::TensorOptions(type).pinned_memory(true));
            there = at::empty(shape, at::TensorOptions(type).device(step.runtime_.device));
        };
        make(sizes, at::kFloat, x_start_here, x_start);
        make({batch.count}, at::kLong, t_here, t);
        if (step.classes_ > 0) make({batch.count}, at::kLong, y_here, y);
        noise = at::empty_like(x_start);
        if (step.options_.input_perturbation > 0) seen_noise = at::empty_like(x_start);
        if (step.network_.config().dropout > 0 && step.streams_ == Streams::by_position) {
            make({batch.count}, at::kLong, dropout_seeds_here, dropout_seeds);
            network.set_dropout_seeds(dropout_seeds);
        }
    }

    // The pinned tensors may be overwritten, because the copies of the last call are done: its loss was read since.
    void take(const Batch& batch, const StepNoise& drawn) {
        std::copy(batch.x_start.begin(), batch.x_start.end(), x_start_here.mutable_data_ptr<float>());
        x_start.copy_(x_start_here, /*non_blocking=*/true);
        t.copy_(t_here.copy_(drawn.t), true);
        if (y.defined()) y.copy_(y_here.copy_(drawn.y), true);
        if (dropout_seeds.defined()) dropout_seeds.copy_(dropout_seeds_here.copy_(drawn.dropout_seeds), true);
        noise.copy_(drawn.noise, true);
        if (seen_noise.defined()) seen_noise.copy_(drawn.seen_noise, true);
    }
};

TrainingStep::TrainingStep(UNet2D& network, const Objective& objective, const TrainOptions& options, uint64_t seed,
                           const Runtime& runtime, Streams streams)
    : network_(network),
      objective_(objective),
      options_(options),
      seed_(seed),
      runtime_(runtime),
      streams_(streams),
      classes_(network.config().num_class_embeds.value_or(0)) {}

TrainingStep::~TrainingStep() = default;

StepNoise TrainingStep::draw_noise(const Batch& batch, const std::function<void(const at::Tensor&, Purpose)>& fill) const {
    const auto normal = [&](at::IntArrayRef shape, Purpose purpose) {
        const at::Tensor numbers = at::empty(shape, at::TensorOptions(at::kFloat).device(runtime_.device));
        fill(numbers, purpose);
        return numbers;
    };
    const std::vector<int64_t> shape{batch.count, batch.channels, batch.height, batch.width};
    StepNoise drawn;
    drawn.noise = normal(shape, Purpose::noise);
    if (options_.noise_offset > 0)
        drawn.noise.add_(normal({batch.count, batch.channels, 1, 1}, Purpose::noise_offset), options_.noise_offset);
    if (options_.input_perturbation > 0)
        drawn.seen_noise = normal(shape, Purpose::input_perturbation).mul_(options_.input_perturbation).add_(drawn.noise);
    return drawn;
}

// The last row of the table is the empty label.
int64_t TrainingStep::label_of(const Batch& batch, int64_t i, bool dropped) const {
    return dropped ? classes_ - 1 : batch.label[static_cast<size_t>(i)];
}

int64_t TrainingStep::draw_t(RandomStream& stream) const {
    return timestep_sampling(options_.timestep_sampling).draw(options_, objective_.schedule().levels(), stream);
}

StepNoise TrainingStep::draw(const Batch& batch, int64_t step, int64_t micro) const {
    if (streams_ == Streams::by_micro_batch) return draw_by_micro_batch(batch, step, micro);
    const auto first = static_cast<uint64_t>(micro * options_.batch_size);
    const auto stream = [&](Purpose purpose, int64_t i) {
        return RandomStream(seed_, purpose, static_cast<uint64_t>(step), first + static_cast<uint64_t>(i));
    };
    const auto fill = [&](at::Tensor& numbers, const auto& number_of) {
        numbers = at::empty({batch.count}, at::kLong);
        for (int64_t i = 0; i < batch.count; ++i) numbers.mutable_data_ptr<int64_t>()[i] = number_of(i);
    };
    StepNoise drawn = draw_noise(batch, [&](const at::Tensor& numbers, Purpose purpose) {
        fill_normal(numbers, seed_, purpose, static_cast<uint64_t>(step), first);
    });
    fill(drawn.t, [&](int64_t i) {
        RandomStream numbers = stream(Purpose::timestep, i);
        return draw_t(numbers);
    });
    if (classes_ > 0)
        fill(drawn.y, [&](int64_t i) { return label_of(batch, i, stream(Purpose::label_drop, i).coin(options_.class_dropout)); });
    if (network_.config().dropout > 0)
        fill(drawn.dropout_seeds, [&](int64_t i) { return static_cast<int64_t>(stream(Purpose::dropout, i).seed()); });
    return drawn;
}

StepNoise TrainingStep::draw_by_micro_batch(const Batch& batch, int64_t step, int64_t micro) const {
    const auto stream = [&](Purpose purpose) {
        return RandomStream(seed_, purpose, static_cast<uint64_t>(step), static_cast<uint64_t>(micro));
    };
    StepNoise drawn = draw_noise(batch, [&](const at::Tensor& numbers, Purpose purpose) {
        fill_normal(numbers.view({1, -1}), seed_, purpose, static_cast<uint64_t>(step), static_cast<uint64_t>(micro));
    });
    drawn.t = at::empty({batch.count}, at::kLong);
    RandomStream timestep = stream(Purpose::timestep);
    for (int64_t i = 0; i < batch.count; ++i) drawn.t.mutable_data_ptr<int64_t>()[i] = draw_t(timestep);
    if (classes_ > 0) {
        drawn.y = at::empty({batch.count}, at::kLong);
        RandomStream drop = stream(Purpose::label_drop);
        for (int64_t i = 0; i < batch.count; ++i)
            drawn.y.mutable_data_ptr<int64_t>()[i] = label_of(batch, i, drop.coin(options_.class_dropout));
    }
    drawn.dropout_seed = stream(Purpose::dropout).seed();
    return drawn;
}

at::Tensor TrainingStep::accumulate(const Batch& batch, const StepNoise& drawn) {
    if (streams_ == Streams::by_micro_batch) at::manual_seed(drawn.dropout_seed);
    // Gradient checkpointing reads the state of LibTorch's generator, which a recording can't do.
    const bool recorded = records_on(runtime_.device) && network_.kernels().name == "fast" && !options_.gradient_checkpointing;
    if (recorded) {
        if (!gpu_ || gpu_->x_start.size(0) != batch.count) gpu_ = std::make_unique<OnGpu>(*this, batch);
        gpu_->take(batch, drawn);
        gpu_->recording.run();
        gpu_->network.add_gradients_to_original();
        return gpu_->loss;
    }
    // The tensor shares the batch's memory. Nothing writes to it.
    const at::Tensor x_start =
        at::from_blob(const_cast<float*>(batch.x_start.data()), drawn.noise.sizes(), at::kFloat).to(runtime_.device);
    const auto there = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor.to(runtime_.device) : tensor; };
    const at::Tensor t = there(drawn.t), y = there(drawn.y);
    const auto model = [&](const at::Tensor& x_t) {
        const PrecisionGuard precision(runtime_.device, options_.precision);
        return network_.forward(x_t, t, y);
    };
    network_.set_dropout_seeds(there(drawn.dropout_seeds));
    const at::Tensor loss = objective_.judge(model, x_start, t, there(drawn.noise), there(drawn.seen_noise)).loss.mean();
    (loss / static_cast<double>(options_.gradient_accumulation_steps)).backward();
    return loss.detach();
}

}  // namespace ddpm
