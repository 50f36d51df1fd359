#include "ddpm/train/dry_step.h"

#include "ddpm/core/clock.h"
#include "ddpm/core/random.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/step.h"
#include "train/state.h"

namespace ddpm {

DryStep dry_step(const TrainJob& job) {
    train::TrainState state(job);
    if (const auto newest = train::checkpoint_to_resume(job)) state.restore(*newest);
    const NoiseSchedule schedule = make_schedule(job.diffusion);
    TrainingStep training(*state.network, make_objective(schedule, job.diffusion, job.train), job.train,
                          attempt_seed(job.seed, state.guard.attempt()), job.runtime, state.streams);
    BatchLoader loader(*job.dataset, job.train.batch_size, job.seed, job.loader_threads, state.guard.attempt());
    DryStep result;
    result.step = state.step;
    const double began = steady_seconds();
    const Batch batch = loader.load(state.step * job.train.gradient_accumulation_steps);
    const double loaded = steady_seconds();
    result.loss = training.accumulate(batch, state.step, 0).item<double>();
    result.grad_norm = state.optimizer->clip_grad_norm(0);
    result.load_seconds = loaded - began;
    result.pass_seconds = steady_seconds() - loaded;
    return result;
}

}  // namespace ddpm
