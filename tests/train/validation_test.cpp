#include "train/validation.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/run/resolve.h"
#include "train/small_run.h"

namespace ddpm::train {
namespace {

struct Validated : SmallRun {
    Greys held_out{21, [](int64_t index) { return index % 2 == 1; }};

    explicit Validated(int64_t steps) : SmallRun(steps) {
        job.held_out = &held_out;
        job.train.validate_every = 3;
        job.train.checkpoint_every = 5;
        job.train.keep_last = 1;
        job.train.learning_rate = 1e-3;
        job.train.ema_decay = 0.5;
    }
    std::vector<Json> validations() const {
        std::vector<Json> found;
        for (const Json& line : metrics())
            if (line.contains("validation")) found.push_back(line);
        return found;
    }
};

// A network whose last layer is zero predicts no noise at all: the loss is the mean square of the noise, 1 at every t
// within 7 deviations √(2/numbers) (false alarm 2e-11); with v-prediction it is ᾱ_t + (1−ᾱ_t)·mean(x₀²), which falls.
TEST(Validation, IsTheLossOfEachTimestepBin) {
    Validated run(1);
    const NoiseSchedule schedule = make_schedule(run.job.diffusion);
    const Validation validation(run.job, schedule);
    ASSERT_EQ(validation.timestep_bins(), 8);
    auto network = std::make_shared<UNet2D>(small_unet());
    for (auto& item : network->named_parameters())
        if (item.key().rfind("conv_out", 0) == 0) item.value().set_data(at::zeros_like(item.value()));
    network->train();
    const Validation::Losses losses = validation.measure(*network);
    ASSERT_EQ(losses.by_bin.size(), 8u);
    const double numbers = 3 * 64;  // 24 looks at 21 pictures, 3 a bin
    for (const double loss : losses.by_bin) EXPECT_NEAR(loss, 1, 7 * std::sqrt(2 / numbers));
    EXPECT_EQ(validation.measure(*network).by_bin, losses.by_bin) << "the same t and noise each time";
    EXPECT_TRUE(network->is_training());
    double mean = 0;
    for (const double loss : losses.by_bin) mean += loss / 8;
    EXPECT_NEAR(losses.mean, mean, 1e-12);

    run.job.diffusion.prediction_type = "v_prediction";
    const Validation::Losses v = validation.measure(*network);
    const double x_square = v.by_bin.back();
    EXPECT_GT(v.by_bin.front(), 0.7);
    EXPECT_LT(x_square, 0.7);
}

TEST(Validation, StandsInTheMetricsAndKeepsTheBestCheckpoint) {
    Validated run(20);
    ASSERT_EQ(run.train(), "finished");
    const std::vector<Json> found = run.validations();
    ASSERT_EQ(found.size(), 7u);  // 3, 6, …, 18, and the last
    EXPECT_EQ(found.back().at("step"), 20);
    int64_t best = 0;
    double loss = INFINITY;
    for (const Json& line : found)
        if (const double ema = line.at("validation").at("ema").at("loss"); ema < loss) {
            loss = ema;
            best = line.at("step");
        }
    EXPECT_EQ(run.counters(20).at("best").at("step"), best);
    EXPECT_EQ(run.counters(20).at("best").at("loss").get<double>(), loss);
    EXPECT_EQ(fs::read_symlink(run.folder / "checkpoints/best"), checkpoint_name(best));
    EXPECT_TRUE(has_training(run.folder / "checkpoints/best"));
    EXPECT_EQ(resolve_checkpoint(run.folder / "checkpoints/best"), run.folder / "checkpoints/best");
    EXPECT_EQ(run.counters(best).at("step"), best);
}

// With a learning rate that spoils what was learnt the best checkpoint is an early one, and stays.
TEST(Validation, TheBestCheckpointOutlivesLaterOnes) {
    Validated run(30);
    run.job.train.learning_rate = 0.5;
    run.job.train.warmup_steps = 30;
    ASSERT_EQ(run.train(), "finished");
    const int64_t best = run.counters(30).at("best").at("step");
    ASSERT_LT(best, 25);
    EXPECT_TRUE(has_training(run.folder / "checkpoints" / checkpoint_name(best)));
    EXPECT_EQ(fs::read_symlink(run.folder / "checkpoints/best"), checkpoint_name(best));
}

TEST(Validation, ChangesNothingOfTheTraining) {
    Validated with(10), without(10);
    without.job.held_out = nullptr;
    ASSERT_EQ(with.train(), "finished");
    ASSERT_EQ(without.train(), "finished");
    for (const char* file :
         {"training/weights.safetensors", "training/optimizer.safetensors", "unet/diffusion_pytorch_model.safetensors"})
        EXPECT_TRUE(read_file(with.folder / "checkpoints/step-000010" / file, 1u << 30) ==
                    read_file(without.folder / "checkpoints/step-000010" / file, 1u << 30))
            << file;
    EXPECT_FALSE(fs::exists(without.folder / "checkpoints/best"));
}

TEST(Validation, AnInterruptedRunFindsTheSameBest) {
    Validated whole(16);
    ASSERT_EQ(whole.train(), "finished");
    for (int nth = 1; nth < 50; nth += 8)
        for (const bool kill : {false, true}) {
            Validated parts(16);
            parts.interrupt(nth, kill);
            ASSERT_EQ(parts.train(), "finished");
            expect_same_checkpoint(whole, parts, 16);
            EXPECT_EQ(whole.metrics(), parts.metrics()) << nth;
            EXPECT_EQ(fs::read_symlink(whole.folder / "checkpoints/best"), fs::read_symlink(parts.folder / "checkpoints/best"));
        }
}

}  // namespace
}  // namespace ddpm::train
