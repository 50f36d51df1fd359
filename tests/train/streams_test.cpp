// A step is the same however its batch is cut into micro-batches, and a run keeps the random streams that it began with.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/step.h"
#include "train/small_run.h"
#include "train/state.h"

namespace ddpm::train {
namespace {

constexpr int64_t kWhole = 8, kSeed = 11, kStep = 5;

TrainOptions cut_into(int64_t parts) {
    TrainOptions options;
    options.batch_size = kWhole / parts;
    options.gradient_accumulation_steps = parts;
    options.class_dropout = 0.4;
    return options;
}

// Examples first … first + count − 1 of a batch of eight.
Batch part_of_batch(int64_t first, int64_t count) {
    Batch batch{count, 1, 8, 8, {}, {}};
    for (int64_t i = first; i < first + count; ++i) {
        batch.label.push_back(0);
        for (int pixel = 0; pixel < 64; ++pixel) batch.x_start.push_back(static_cast<float>((i * 64 + pixel) % 23) / 11.5f - 1);
    }
    return batch;
}

// What is drawn for the micro-batches of one step, put together again, and the gradients that they leave.
struct WholeStep {
    StepNoise drawn;
    double loss = 0;
    at::Tensor gradients;  // of all parameters, in a row

    WholeStep(int64_t parts, Streams streams) {
        at::manual_seed(3);  // LibTorch's own initial weights, none of them 0
        UNet2D network(small_unet());
        network.train();
        const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
        const TrainOptions options = cut_into(parts);
        TrainingStep step(network, Objective(schedule, PredictionType::epsilon), options, kSeed, Runtime{}, streams);
        std::vector<at::Tensor> t, noise, y, seeds;
        for (int64_t micro = 0; micro < parts; ++micro) {
            const Batch batch = part_of_batch(micro * options.batch_size, options.batch_size);
            const StepNoise part = step.draw(batch, kStep, micro);
            t.push_back(part.t);
            noise.push_back(part.noise);
            y.push_back(part.y);
            if (part.dropout_seeds.defined()) seeds.push_back(part.dropout_seeds);
            loss += step.accumulate(batch, part).item<double>() / static_cast<double>(parts);
        }
        drawn.t = at::cat(t);
        drawn.noise = at::cat(noise);
        drawn.y = at::cat(y);
        if (!seeds.empty()) drawn.dropout_seeds = at::cat(seeds);
        std::vector<at::Tensor> rows;
        for (const at::Tensor& parameter : network.parameters()) rows.push_back(parameter.grad().flatten());
        gradients = at::cat(rows);
    }

    double distance(const WholeStep& other) const {
        return ((gradients - other.gradients).norm() / gradients.norm()).item<double>();
    }
};

// With labels, label drop and dropout.
TEST(Streams, AStepIsTheSameHoweverItIsCut) {
    const WholeStep whole(1, Streams::by_position);
    EXPECT_EQ(std::get<0>(at::_unique(whole.drawn.y)).size(0), 2) << "some labels are dropped, some are not";
    for (const int64_t parts : {2, 4, 8}) {
        const WholeStep cut(parts, Streams::by_position);
        EXPECT_TRUE(at::equal(cut.drawn.t, whole.drawn.t)) << parts;
        EXPECT_TRUE(at::equal(cut.drawn.noise, whole.drawn.noise)) << parts;
        EXPECT_TRUE(at::equal(cut.drawn.y, whole.drawn.y)) << parts;
        EXPECT_TRUE(at::equal(cut.drawn.dropout_seeds, whole.drawn.dropout_seeds)) << parts;
        EXPECT_NEAR(cut.loss, whole.loss, 1e-6 * whole.loss) << parts;
        EXPECT_LT(cut.distance(whole), 1e-5) << parts;
    }
    EXPECT_GT(WholeStep(2, Streams::by_micro_batch).distance(WholeStep(1, Streams::by_micro_batch)), 0.1) << "as it once was";
}

// Every example has numbers of its own: another t, noise and mask at each position.
TEST(Streams, PositionsDiffer) {
    const StepNoise drawn = WholeStep(2, Streams::by_position).drawn;
    EXPECT_EQ(std::get<0>(at::_unique(drawn.dropout_seeds)).size(0), kWhole);
    EXPECT_GT(std::get<0>(at::_unique(drawn.t)).size(0), kWhole / 2);
    const at::Tensor noise = drawn.noise.flatten(1);
    EXPECT_LT((at::corrcoef(noise) - at::eye(kWhole)).abs().max().item<double>(), 0.75) << "6 deviations of 64 numbers";
}

// The same run, to what rounding leaves of a few steps: its losses, gradients and what it learns.
TEST(Streams, ARunIsTheSameHoweverItsStepsAreCut) {
    const auto metrics_of = [](int64_t parts) {
        SmallRun run(6);
        const TrainOptions cut = cut_into(parts);
        run.job.train.batch_size = cut.batch_size;
        run.job.train.gradient_accumulation_steps = parts;
        run.job.train.class_dropout = cut.class_dropout;
        run.job.train.learning_rate = 1e-3;
        EXPECT_EQ(run.train(), "finished");
        EXPECT_EQ(run.counters(6).at("streams"), 2);
        return run.metrics();
    };
    const std::vector<Json> whole = metrics_of(1);
    ASSERT_EQ(whole.size(), 6u);
    for (const int64_t parts : {2, 4}) {
        const std::vector<Json> cut = metrics_of(parts);
        for (size_t i = 0; i < whole.size(); ++i)
            for (const char* key : {"loss", "grad_norm"}) {
                const double expected = whole[i].at(key);
                EXPECT_NEAR(cut.at(i).at(key).get<double>(), expected, 1e-4 * expected) << key << " of step " << i + 1;
            }
    }
}

TEST(Streams, ThoseOfAnOlderRunAreItsOwn) {
    UNet2D network(small_unet());
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const TrainOptions options = cut_into(2);
    const TrainingStep step(network, Objective(schedule, PredictionType::epsilon), options, kSeed, Runtime{},
                            Streams::by_micro_batch);
    const int64_t micro = 1;
    const StepNoise drawn = step.draw(part_of_batch(4, 4), kStep, micro);
    const auto stream = [&](Purpose purpose) { return RandomStream(kSeed, purpose, kStep, micro); };
    RandomStream t = stream(Purpose::timestep), drop = stream(Purpose::label_drop);
    for (int64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(drawn.t[i].item<int64_t>(), static_cast<int64_t>(t.below(1000)));
        EXPECT_EQ(drawn.y[i].item<int64_t>(), drop.coin(options.class_dropout) ? 1 : 0);
    }
    std::vector<float> noise(4 * 64);
    stream(Purpose::noise).fill_normal(noise.data(), noise.size());
    EXPECT_TRUE(at::equal(drawn.noise.flatten(), at::tensor(noise)));
    EXPECT_EQ(drawn.dropout_seed, stream(Purpose::dropout).seed());
}

// What a checkpoint says of its streams, and what one without the key means.
TEST(Streams, FollowFromTheCheckpoint) {
    SmallRun run(1);
    ASSERT_EQ(run.train(), "finished");
    const fs::path checkpoint = run.folder / "checkpoints" / checkpoint_name(1), file = checkpoint / "training/counters.json";
    const std::string text = read_file(file, 1 << 20), key = "\"streams\": 2,";
    const size_t at = text.find(key);
    ASSERT_NE(at, text.npos) << text;
    TrainState state(run.job);
    EXPECT_EQ(state.streams, Streams::by_position);
    state.restore(checkpoint);
    EXPECT_EQ(state.streams, Streams::by_position);
    write_file(file, std::string(text).replace(at, key.size(), ""));
    state.restore(checkpoint);
    EXPECT_EQ(state.streams, Streams::by_micro_batch);
    state.save(run.job);
    EXPECT_EQ(read_file(file, 1 << 20).find("streams"), std::string::npos) << "its checkpoints are those of the older program";
    state.last_good = 0;
    state.roll_back(run.job);
    EXPECT_EQ(state.step, 0);
    EXPECT_EQ(state.streams, Streams::by_micro_batch) << "the run's beginning is its own too";
    write_file(file, std::string(text).replace(at, key.size(), "\"streams\": 3,"));
    try {
        state.restore(checkpoint);
        ADD_FAILURE() << "expected an error";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("streams: got 3"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace ddpm::train
