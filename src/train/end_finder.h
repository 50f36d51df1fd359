#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "ddpm/train/observer.h"
#include "ddpm/train/trainer.h"
#include "train/state.h"
#include "train/stop_rule.h"

namespace ddpm::train {

// Feeds what a run measures to its StopRule. It has to be behind the observer that writes metrics.jsonl among a run's
// observers: where a run goes on, it reads in that file what was measured before.
class EndFinder : public Observer {
public:
    explicit EndFinder(std::filesystem::path metrics) : metrics_(std::move(metrics)) {}

    // What was found and is not said yet, with the checkpoint that is best by the state.
    std::optional<events::DoneFound> news(const TrainJob& job, const TrainState& state) const;
    // Whether metrics.jsonl says already what was found.
    bool is_said() const { return said_; }
    // The last step whose samples were judged; 0: none.
    int64_t judged() const { return judged_; }

    using Observer::on;
    void on(const events::AttemptBegun& event) override;
    void on(const events::Validated& event) override;
    void on(const events::QualityMeasured& event) override;
    void on(const events::DoneFound& event) override;

private:
    const std::filesystem::path metrics_;
    StopRule rule_;
    bool said_ = false;
    int64_t judged_ = 0;
};

}  // namespace ddpm::train
