#include "train/engine.h"

#include <barrier>
#include <exception>
#include <set>
#include <thread>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "train/small_run.h"

namespace ddpm::train {
namespace {

// Ranks that are threads of this process: each adds what the others bring, in the order of the ranks.
class Ranks {
public:
    explicit Ranks(int64_t size) : size_(size), meeting_(size), brought_(static_cast<size_t>(size)) {}

    class Rank : public World {
    public:
        Rank(Ranks& all, int64_t rank) : all_(all), rank_(rank) {}
        int64_t rank() const override { return rank_; }
        int64_t size() const override { return all_.size_; }
        void all_reduce(const std::vector<at::Tensor>& tensors) override {
            const at::NoGradGuard no_grad;
            std::vector<at::Tensor>& mine = all_.brought_[static_cast<size_t>(rank_)];
            mine.clear();
            for (const at::Tensor& tensor : tensors) mine.push_back(tensor.detach().clone());
            all_.meeting_.arrive_and_wait();
            for (size_t i = 0; i < tensors.size(); ++i) {
                at::Tensor sum = all_.brought_[0][i].clone();
                for (size_t rank = 1; rank < all_.brought_.size(); ++rank) sum += all_.brought_[rank][i];
                at::Tensor(tensors[i]).copy_(sum);
            }
            all_.meeting_.arrive_and_wait();
        }
        bool any(bool here) override {
            at::Tensor sum = at::scalar_tensor(here ? 1.0 : 0.0, at::kDouble);
            all_reduce({sum});
            return sum.item<double>() > 0;
        }

    private:
        Ranks& all_;
        int64_t rank_;
    };

private:
    int64_t size_;
    std::barrier<> meeting_;
    std::vector<std::vector<at::Tensor>> brought_;
};

struct Losses : Observer {
    std::vector<double> losses, norms;
    using Observer::on;
    void on(const events::StepDone& event) override {
        losses.push_back(event.loss);
        norms.push_back(event.grad_norm);
    }
};

struct Trained {
    Losses seen;
    std::vector<at::Tensor> weights, averages;
};

// Ten steps on one rank, without a folder: nothing is written anywhere.
Trained train_ten_steps(TrainJob job, World& world) {
    job.folder = "/nowhere";
    Trained trained;
    Observers observers;
    observers.add(trained.seen);
    Engine engine(job, observers, world);
    engine.begin_attempt();
    for (int step = 0; step < 10; ++step) EXPECT_EQ(engine.step(), StepGuard::Verdict::go_on);
    for (const at::Tensor& weight : engine.state().network->parameters()) trained.weights.push_back(weight.detach().clone());
    for (const at::Tensor& average : engine.state().ema->parameters()) trained.averages.push_back(average.detach().clone());
    return trained;
}

// Two ranks of one micro-batch each sum what one rank with two sums, in the same order: the same bits.
TEST(Engine, RanksTrainAsOneDoes) {
    SmallRun run(10);
    run.job.train.batch_size = 3;
    run.job.train.gradient_accumulation_steps = 2;
    run.job.train.class_dropout = 0.3;
    run.job.train.learning_rate = 1e-3;
    const Trained one = train_ten_steps(run.job, World::alone());
    Ranks ranks(2);
    std::vector<Trained> two(2);
    std::vector<std::thread> threads;
    for (int64_t rank = 0; rank < 2; ++rank)
        threads.emplace_back([&, rank] {
            Ranks::Rank world(ranks, rank);
            two[static_cast<size_t>(rank)] = train_ten_steps(run.job, world);
        });
    for (std::thread& thread : threads) thread.join();
    for (const Trained& trained : two) {
        EXPECT_EQ(trained.seen.losses, one.seen.losses);
        EXPECT_EQ(trained.seen.norms, one.seen.norms);
        for (size_t i = 0; i < one.weights.size(); ++i) {
            EXPECT_TRUE(at::equal(trained.weights[i], one.weights[i])) << i;
            EXPECT_TRUE(at::equal(trained.averages[i], one.averages[i])) << i;
        }
    }
}

// What an observer of one's own hears of a whole run, in order: a line each.
struct Notes : Observer {
    std::vector<std::string> lines;
    using Observer::on;
    void on(const events::Begun& event) override { lines.push_back(fmt::format("begun {} of {}", event.step, event.steps)); }
    void on(const events::AttemptBegun& event) override {
        lines.push_back(fmt::format("attempt {} at {}", event.rollbacks.size(), event.step));
    }
    void on(const events::StepDone& event) override { lines.push_back(fmt::format("step {}", event.step)); }
    void on(const events::Validated& event) override { lines.push_back(fmt::format("validated {}", event.step)); }
    void on(const events::CheckpointBegins& event) override { lines.push_back(fmt::format("saving {}", event.step)); }
    void on(const events::CheckpointWritten& event) override { lines.push_back(fmt::format("saved {}", event.step)); }
    void on(const events::SamplesDue& event) override { lines.push_back(fmt::format("samples {}", event.step)); }
    void on(const events::LastStepDone& event) override { lines.push_back(fmt::format("last {}", event.step)); }
    void on(const events::Finished& event) override { lines.push_back(fmt::format("finished {}", event.step)); }
    void on(const events::Stopped& event) override { lines.push_back(fmt::format("stopped {}", event.step)); }
};

TEST(Observer, HearsOfARunInOrder) {
    SmallRun run(3);
    const Greys held_out{9, [](int64_t) { return false; }};
    run.job.held_out = &held_out;
    run.job.train.validate_every = 2;
    run.job.train.sample_every = 2;
    run.job.draw_samples = [](UNet2D&, const fs::path&, const std::function<bool()>&) {};
    Notes notes;
    run.job.observers = {&notes};
    ASSERT_EQ(run.train(), "finished");
    const std::vector<std::string> expected{"attempt 0 at 0", "begun 0 of 3", "step 1",    "step 2",    "validated 2",
                                            "saving 2",       "saved 2",      "samples 2", "step 3",    "validated 3",
                                            "last 3",         "saving 3",     "saved 3",   "samples 3", "finished 3"};
    EXPECT_EQ(notes.lines, expected);

    SmallRun stopped(3);
    Notes of_stopped;
    stopped.job.observers = {&of_stopped};
    stopped.job.stop_requested = [] { return true; };
    ASSERT_EQ(stopped.train(), "stopped");
    EXPECT_EQ(of_stopped.lines,
              (std::vector<std::string>{"attempt 0 at 0", "begun 0 of 3", "step 1", "saving 1", "saved 1", "stopped 1"}));
}

}  // namespace
}  // namespace ddpm::train
