// What is lowered and what the network sees, as the keys of `train` and diffusion.variance_type say, in whole steps and runs.

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/diffusion/process.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/step.h"
#include "diffusion/statistics.h"
#include "train/small_run.h"

namespace ddpm {
namespace {

constexpr uint64_t kSeed = 11;
constexpr int64_t kStep = 5;

// All that is not the default and goes with a learned variance.
void set_everything(TrainJob& job) {
    job.diffusion.variance_type = "learned_range";
    job.unet.out_channels = 2;
    job.train.loss_weighting = "min_snr";
    job.train.snr_gamma = 4;
    job.train.input_perturbation = 0.1;
    job.train.noise_offset = 0.2;
    job.train.learning_rate = 1e-3;
}

Batch greys(int64_t count, int64_t channels = 1) {
    Batch batch{count, channels, 8, 8, {}, {}};
    for (int64_t i = 0; i < count; ++i) {
        batch.label.push_back(0);
        for (int64_t pixel = 0; pixel < channels * 64; ++pixel)
            batch.x_start.push_back(static_cast<float>((i * 64 + pixel) % 23) / 11.5f - 1);
    }
    return batch;
}

StepNoise draw(const TrainOptions& options, const Batch& batch, int64_t micro = 0, Streams streams = Streams::by_position) {
    UNet2D network(small_unet());
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const Objective objective(schedule, PredictionType::epsilon);
    return TrainingStep(network, objective, options, kSeed, Runtime{}, streams).draw(batch, kStep, micro);
}

TEST(Losses, TheOffsetIsOneNumberForEachChannel) {
    TrainOptions plain, with;
    plain.batch_size = with.batch_size = 4;
    with.noise_offset = 0.25;
    const Batch batch = greys(4, 3);
    for (const Streams streams : {Streams::by_position, Streams::by_micro_batch}) {
        const at::Tensor added = draw(with, batch, 1, streams).noise - draw(plain, batch, 1, streams).noise;
        const at::Tensor first = added.slice(2, 0, 1).slice(3, 0, 1);
        EXPECT_LT((added - first).abs().max().item<double>(), 1e-6);
        EXPECT_EQ(std::get<0>(at::_unique(first)).numel(), 12) << "each picture and channel has its own";
        for (int64_t i = 0; i < 4; ++i) {
            // By position the key is the example's place in the step's whole batch; once it was the micro-batch.
            RandomStream stream(kSeed, Purpose::noise_offset, kStep,
                                streams == Streams::by_position ? static_cast<uint64_t>(4 + i) : 1);
            if (streams == Streams::by_micro_batch)
                for (int64_t skipped = 0; skipped < 3 * i; ++skipped) stream.normal();
            for (int64_t c = 0; c < 3; ++c) EXPECT_NEAR(first[i][c].item<double>(), 0.25 * stream.normal(), 1e-6) << i << " " << c;
        }
    }
}

// False alarm 1e-9 each: the perturbation is N(0, 0.1²) and apart from the noise.
TEST(Losses, ThePerturbationIsSeenAndNotAskedFor) {
    TrainOptions options;
    options.batch_size = 64;
    EXPECT_FALSE(draw(options, greys(2)).seen_noise.defined());
    const at::Tensor plain = draw(options, greys(64)).noise;
    options.input_perturbation = 0.1;
    const StepNoise drawn = draw(options, greys(64));
    EXPECT_TRUE(at::equal(drawn.noise, plain)) << "the target is the noise alone";
    const at::Tensor added = (drawn.seen_noise - drawn.noise) / 0.1;
    const double numbers = 64 * 64;
    EXPECT_LT(ks_distance(added, [](double x) { return normal_cdf(x); }), ks_bound(numbers, 1e-9));
    EXPECT_LT(std::abs((added * drawn.noise).mean().item<double>()), 6.2 / std::sqrt(numbers));

    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const at::Tensor x_start = at::zeros({64, 1, 8, 8}) + 0.5;
    const Objective::Judged judged =
        Objective(schedule, PredictionType::epsilon)
            .judge(
                [&](const at::Tensor& x_t) {
                    EXPECT_TRUE(at::equal(x_t, q_sample(schedule, x_start, drawn.t, drawn.seen_noise)));
                    return drawn.noise;
                },
                x_start, drawn.t, drawn.noise, drawn.seen_noise);
    EXPECT_EQ(judged.loss.abs().max().item<double>(), 0);
}

// The rows of a batch are those of its micro-batches, whatever is drawn.
TEST(Losses, AStepIsTheSameHoweverItIsCut) {
    TrainOptions options;
    options.noise_offset = 0.3;
    options.input_perturbation = 0.2;
    options.timestep_sampling = "lognormal";
    options.batch_size = 8;
    const StepNoise whole = draw(options, greys(8));
    options.batch_size = 2;
    for (int64_t micro = 0; micro < 4; ++micro) {
        const StepNoise part = draw(options, greys(2), micro);
        const auto rows = [&](const at::Tensor& all) { return all.slice(0, 2 * micro, 2 * micro + 2); };
        EXPECT_TRUE(at::equal(part.t, rows(whole.t)));
        EXPECT_TRUE(at::equal(part.noise, rows(whole.noise)));
        EXPECT_TRUE(at::equal(part.seen_noise, rows(whole.seen_noise)));
    }
}

// The t of a lognormal step, from the seed, the step and the position alone.
TEST(Losses, LognormalTFollowsFromThePosition) {
    TrainOptions options;
    options.timestep_sampling = "lognormal";
    options.batch_size = 16;
    const StepNoise drawn = draw(options, greys(16), 2);
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    for (int64_t i = 0; i < 16; ++i) {
        RandomStream stream(kSeed, Purpose::timestep, kStep, static_cast<uint64_t>(32 + i));
        const double log_k = -1.2 + 1.2 * stream.normal();
        int64_t nearest = 0;
        for (int64_t t = 1; t < 1000; ++t)
            if (std::abs(std::log(schedule.level(t).ratio()) - log_k) < std::abs(std::log(schedule.level(nearest).ratio()) - log_k))
                nearest = t;
        EXPECT_EQ(drawn.t[i].item<int64_t>(), nearest) << i;
    }
}

// Gradient checkpointing computes the same, with twice the channels of output and weights.
TEST(Losses, RecomputedGradientsAreTheSame) {
    SmallRun run(1);
    set_everything(run.job);
    std::vector<at::Tensor> gradients;
    for (const bool recompute : {false, true}) {
        at::manual_seed(3);
        UNet2D network(run.job.unet);
        network.train();
        network.set_gradient_checkpointing(recompute);
        const NoiseSchedule schedule = make_schedule(run.job.diffusion);
        TrainingStep step(network, make_objective(schedule, run.job.diffusion, run.job.train), run.job.train, kSeed, Runtime{});
        step.accumulate(greys(2), kStep, 0);
        std::vector<at::Tensor> rows;
        for (const at::Tensor& parameter : network.parameters()) rows.push_back(parameter.grad().flatten());
        gradients.push_back(at::cat(rows));
    }
    EXPECT_GT(gradients[0].norm().item<double>(), 0);
    EXPECT_LT((gradients[0] - gradients[1]).norm().item<double>(), 1e-5 * gradients[0].norm().item<double>());
}

TEST(Losses, AnInterruptedRunIsTheWholeOne) {
    for (const bool lognormal : {false, true}) {
        const auto prepared = [&](SmallRun& run) {
            set_everything(run.job);
            if (lognormal) {
                run.job.diffusion.variance_type = "fixed_small";
                run.job.unet.out_channels = 1;
                run.job.train.loss_weighting = "p2";
                run.job.train.timestep_sampling = "lognormal";
            }
            run.job.train.gradient_accumulation_steps = 2;
            run.job.train.checkpoint_every = 3;
        };
        SmallRun whole(10);
        prepared(whole);
        ASSERT_EQ(whole.train(), "finished");
        for (const int nth : {2, 5, 9})
            for (const bool kill : {false, true}) {
                SmallRun parts(10);
                prepared(parts);
                parts.interrupt(nth, kill);
                ASSERT_EQ(parts.train(), "finished");
                expect_same_checkpoint(whole, parts, 10);
                EXPECT_EQ(whole.metrics(), parts.metrics()) << nth;
            }
    }
}

// The comparable number of held-out pictures does not know how training weighs, perturbs or offsets.
TEST(Losses, ValidationIsComparable) {
    Greys held_out(8, [](int64_t) { return false; });
    std::vector<Json> measured;
    for (const bool everything : {false, true}) {
        SmallRun run(1);
        run.job.held_out = &held_out;
        if (everything) set_everything(run.job);
        run.job.train.learning_rate = 1e-30;  // the network stays as it began: it answers 0
        ASSERT_EQ(run.train(), "finished");
        for (const Json& line : run.metrics())
            if (line.contains("validation")) measured.push_back(line.at("validation").at("raw"));
    }
    ASSERT_EQ(measured.size(), 2u);
    EXPECT_EQ(measured[0], measured[1]);
}

}  // namespace
}  // namespace ddpm
