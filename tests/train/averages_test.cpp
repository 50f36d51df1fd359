// The averages of train.ema_widths in the optimizer and in a run.

#include <map>

#include "ddpm/run/power_ema.h"
#include "ddpm/run/snapshots.h"
#include "ddpm/train/optimizer.h"
#include "train/small_run.h"
#include "train/state.h"

namespace ddpm {
namespace {

// 5003 numbers are a piece of the fast kernel, part of another, and a rest that fills no vector.
std::vector<at::Tensor> some_parameters() {
    at::manual_seed(5);
    return {at::randn({5003}).requires_grad_(), at::randn({3, 4}).requires_grad_()};
}

Optimizer::Named with_names(const std::vector<at::Tensor>& parameters) { return {{"a", parameters[0]}, {"b", parameters[1]}}; }

void take_step(Optimizer& optimizer, std::vector<at::Tensor>& parameters, int step) {
    for (at::Tensor& parameter : parameters) parameter.mutable_grad() = at::sin(parameter.detach() * 3 + step);
    optimizer.step(0.05, 0.9);
}

class Averages : public testing::TestWithParam<std::string> {
protected:
    const Kernels& kernels() const { return kernels_named(GetParam(), "test"); }
};
INSTANTIATE_TEST_SUITE_P(Kernels, Averages, testing::ValuesIn(kernel_names()), [](const auto& info) { return info.param; });

// Σ over updates k of (1 − β_k)·Π_{j > k} β_j times the parameters after update k, in float64.
at::Tensor closed_form(const std::vector<at::Tensor>& history, double gamma) {
    at::Tensor sum = at::zeros_like(history.front());
    double rest = 1;
    for (size_t k = history.size(); k > 0; --k) {
        const double beta = std::pow(1 - 1 / static_cast<double>(k), gamma + 1);
        sum += history[k - 1] * ((1 - beta) * rest);
        rest *= beta;
    }
    return sum;
}

TEST_P(Averages, AreTheWeightedSumOfAllUpdates) {
    TrainOptions options;
    options.ema_widths = {0.05, 0.1, 0.25};
    std::vector<at::Tensor> parameters = some_parameters();
    Optimizer optimizer(with_names(parameters), {}, options, kernels());
    std::vector<std::vector<at::Tensor>> history(parameters.size());
    for (int step = 0; step < 40; ++step) {
        take_step(optimizer, parameters, step);
        for (size_t i = 0; i < parameters.size(); ++i) history[i].push_back(parameters[i].detach().to(at::kDouble));
        if (step > 0) continue;
        for (const auto& [name, average] : optimizer.average(0)) EXPECT_TRUE(at::equal(average, parameters[name == "a" ? 0 : 1]));
    }
    for (size_t k = 0; k < options.ema_widths.size(); ++k)
        for (size_t i = 0; i < parameters.size(); ++i) {
            const at::Tensor expected = closed_form(history[i], power_of_width(options.ema_widths[k]));
            const at::Tensor average = optimizer.average(k)[i].second.to(at::kDouble);
            EXPECT_LT((average - expected).abs().max().item<double>(), 5e-6) << options.ema_widths[k];
            EXPECT_GT((parameters[i].detach() - average).abs().max().item<double>(), 1e-3) << "the parameters move";
        }
}

TEST_P(Averages, ChangeNothingElse) {
    std::vector<std::vector<at::Tensor>> results;
    for (const std::vector<double>& widths : {std::vector<double>{}, {0.05, 0.1, 0.15, 0.2}}) {
        TrainOptions options;
        options.ema_widths = widths;
        std::vector<at::Tensor> parameters = some_parameters(), ema;
        for (const at::Tensor& parameter : parameters) ema.push_back(parameter.detach().clone());
        Optimizer optimizer(with_names(parameters), ema, options, kernels());
        EXPECT_EQ(optimizer.state().size(), (2 + widths.size()) * parameters.size());
        for (int step = 0; step < 10; ++step) take_step(optimizer, parameters, step);
        results.push_back({parameters[0], parameters[1], ema[0], ema[1]});
    }
    for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(at::equal(results[0][i], results[1][i])) << i;
}

struct AveragedRun : SmallRun {
    explicit AveragedRun(int64_t steps) : SmallRun(steps) {
        job.train.ema_widths = {0.05, 0.1};
        job.train.checkpoint_every = 4;
    }

    // The bytes of ema/ by name.
    std::map<std::string, std::string> snapshots() const {
        std::map<std::string, std::string> all;
        for (const fs::path& file : list_files(folder / "ema", true)) all[file.filename().string()] = read_file(file, 1u << 30);
        return all;
    }
    std::vector<int64_t> steps() const {
        std::vector<int64_t> all;
        for (const Snapshot& snapshot : list_snapshots(folder.path()))
            if (snapshot.width == 0.1) all.push_back(snapshot.step);
        return all;
    }
};

TEST(AveragesOfARun, AreStoredAsTheStateHasThem) {
    const AveragedRun run(5);
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(run.steps(), (std::vector<int64_t>{1, 2, 3, 4, 5}));
    train::TrainState state(run.job);
    state.restore(run.folder / "checkpoints" / checkpoint_name(5));
    const auto stored = read_safetensors(run.folder / "ema" / snapshot_name(5, 0.1));
    std::map<std::string, at::Tensor> expected;
    for (const auto& [name, tensor] : state.optimizer->average(1)) expected[name] = tensor;
    ASSERT_EQ(stored.size(), expected.size());
    EXPECT_EQ(stored.size(), named_tensors(*state.ema).size()) << "a snapshot has every tensor of the network";
    for (const auto& [name, tensor] : stored) EXPECT_TRUE(at::equal(tensor, expected.at(name))) << name;
    const SnapshotInfo info = read_snapshot_info(list_snapshots(run.folder.path()).back());
    EXPECT_EQ(info.updates, 5);
    EXPECT_EQ(info.gamma, power_of_width(0.1));
}

TEST(AveragesOfARun, AreTheSameAfterAKillAndAStop) {
    const AveragedRun whole(20);
    ASSERT_EQ(whole.train(), "finished");
    EXPECT_EQ(whole.steps(), (std::vector<int64_t>{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}));
    for (const bool kill : {true, false}) {
        AveragedRun torn(20);
        torn.interrupt(20, kill);
        ASSERT_LT(torn.steps().size(), 17u);
        ASSERT_EQ(torn.train(), "finished");
        EXPECT_EQ(torn.snapshots(), whole.snapshots()) << kill;
        expect_same_checkpoint(whole, torn, 20);
    }
}

TEST(AveragesOfARun, AreThoseOfALongerRunWhenItGrows) {
    const AveragedRun whole(40);
    ASSERT_EQ(whole.train(), "finished");
    AveragedRun grown(7);
    ASSERT_EQ(grown.train(), "finished");
    EXPECT_EQ(grown.steps().size(), 7u);
    grown.job.train.steps = 40;
    grown.job.resume = true;
    ASSERT_EQ(grown.train(), "finished");
    EXPECT_EQ(grown.snapshots(), whole.snapshots());
}

TEST(AveragesOfARun, AreNotThereWithoutWidths) {
    AveragedRun run(3);
    run.job.train.ema_widths = {};
    ASSERT_EQ(run.train(), "finished");
    EXPECT_FALSE(fs::exists(run.folder / "ema"));
}

TEST(AveragesOfARun, OfLaterStepsAreDroppedWhereARunGoesOn) {
    AveragedRun run(6);
    ASSERT_EQ(run.train(), "finished");
    fs::remove_all(run.folder / "checkpoints" / checkpoint_name(6));
    run.job.resume = true;
    run.interrupt(1, true);
    EXPECT_EQ(run.steps(), (std::vector<int64_t>{1, 2, 3, 4})) << "the run went on from step 4 and was killed in step 5";
}

}  // namespace
}  // namespace ddpm
