#include "ddpm/train/step.h"

#include <ATen/ATen.h>

#include "ddpm/core/random.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/diffusion/process.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

TrainingStep::TrainingStep(UNet2D& network, const NoiseSchedule& schedule, PredictionType prediction_type,
                           const TrainOptions& options, uint64_t seed, const Runtime& runtime)
    : network_(network),
      schedule_(schedule),
      prediction_type_(prediction_type),
      options_(options),
      seed_(seed),
      runtime_(runtime),
      classes_(network.config().num_class_embeds.value_or(0)) {}

StepNoise TrainingStep::draw(const Batch& batch, int64_t step, int64_t micro) const {
    const auto stream = [&](Purpose purpose) {
        return RandomStream(seed_, purpose, static_cast<uint64_t>(step), static_cast<uint64_t>(micro));
    };
    StepNoise drawn;
    drawn.t = at::empty({batch.count}, at::kLong);
    RandomStream timestep = stream(Purpose::timestep);
    for (int64_t i = 0; i < batch.count; ++i)
        drawn.t.data_ptr<int64_t>()[i] = static_cast<int64_t>(timestep.below(static_cast<uint64_t>(schedule_.size())));
    drawn.noise = at::empty({batch.count, batch.channels, batch.height, batch.width}, at::kFloat);
    stream(Purpose::noise).fill_normal(drawn.noise.data_ptr<float>(), static_cast<size_t>(drawn.noise.numel()));
    if (classes_ > 0) {
        drawn.y = at::empty({batch.count}, at::kLong);
        RandomStream drop = stream(Purpose::label_drop);
        for (int64_t i = 0; i < batch.count; ++i)  // the last row of the table is the empty label
            drawn.y.data_ptr<int64_t>()[i] =
                drop.coin(options_.class_dropout) ? classes_ - 1 : batch.label[static_cast<size_t>(i)];
    }
    drawn.dropout_seed = stream(Purpose::dropout).seed();
    return drawn;
}

double TrainingStep::accumulate(const Batch& batch, const StepNoise& drawn) {
    // The batch's own memory: nothing writes to it.
    const at::Tensor x_start =
        at::from_blob(const_cast<float*>(batch.x_start.data()), drawn.noise.sizes(), at::kFloat).to(runtime_.device);
    const at::Tensor t = drawn.t.to(runtime_.device);
    const at::Tensor noise = drawn.noise.to(runtime_.device);
    const at::Tensor x_t = q_sample(schedule_, x_start, t, noise);
    at::manual_seed(drawn.dropout_seed);
    at::Tensor model_output;
    {
        const PrecisionGuard precision(runtime_.device, options_.precision);
        model_output = network_.forward(x_t, t, drawn.y.defined() ? drawn.y.to(runtime_.device) : drawn.y);
    }
    const at::Tensor target = training_target(schedule_, prediction_type_, x_start, t, noise);
    const at::Tensor loss = mse_per_example(model_output, target).mean();
    (loss / static_cast<double>(options_.gradient_accumulation_steps)).backward();
    return loss.item<double>();
}

}  // namespace ddpm
