#pragma once

#include <cstdint>
#include <optional>

#include "ddpm/report/progress.h"
#include "ddpm/train/observer.h"

namespace ddpm::train {

// An exponential mean over about `reach` values, without a bias towards zero.
class RunningMean {
public:
    explicit RunningMean(int64_t reach) : decay_(1.0 - 1.0 / static_cast<double>(reach)) {}
    void add(double value) {
        sum_ = decay_ * sum_ + (1 - decay_) * value;
        weight_ = decay_ * weight_ + (1 - decay_);
    }
    bool empty() const { return weight_ == 0; }
    double mean() const { return sum_ / weight_; }

private:
    double decay_, sum_ = 0, weight_ = 0;
};

// Writes the log and the progress line of a run. The log reports the 1st, 2nd, 4th, 8th, … skipped step, spike and judgement
// that was left out, so that even a long log has few of them; metrics.jsonl marks every one. Skipped steps are counted since
// the run began, spikes since this session began.
class ConsoleObserver : public Observer {
public:
    // The progress line shows the mean loss of about the last `mean_over` steps.
    explicit ConsoleObserver(int64_t mean_over) : loss_(mean_over) {}

    using Observer::on;
    void on(const events::Begun& event) override;
    void on(const events::SpikeBegun& event) override;
    void on(const events::StepDone& event) override;
    void on(const events::Skipped& event) override;
    void on(const events::RolledBack& event) override;
    void on(const events::Validated& event) override;
    void on(const events::QualityMeasured& event) override;
    void on(const events::JudgingSkipped& event) override;
    void on(const events::DoneFound& event) override;
    void on(const events::CheckpointWritten& event) override;
    void on(const events::Finished& event) override;
    void on(const events::Stopped& event) override;

private:
    std::optional<Progress> progress_;
    RunningMean loss_;
    uint64_t spikes_ = 0;
};

}  // namespace ddpm::train
