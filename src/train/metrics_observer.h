#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "ddpm/report/heartbeat.h"
#include "ddpm/report/metrics.h"
#include "ddpm/train/observer.h"

namespace ddpm::train {

// Writes metrics.jsonl: a line for each step, validation, judgement and rollback, and one if the run gives up or has no more
// to gain. While no step ends, because pictures are sampled or a disk hangs, its own thread writes a heartbeat every
// `heartbeat_seconds` (0: none).
class MetricsObserver : public Observer {
public:
    MetricsObserver(std::filesystem::path file, double heartbeat_seconds)
        : file_(std::move(file)), heartbeat_seconds_(heartbeat_seconds) {}

    using Observer::on;
    // Removes the lines of later steps. The line of a rollback belongs to the step after it and is removed together with that
    // step.
    void on(const events::AttemptBegun& event) override;
    void on(const events::StepDone& event) override;
    void on(const events::Validated& event) override;
    void on(const events::QualityMeasured& event) override;
    void on(const events::DoneFound& event) override;
    void on(const events::GaveUp& event) override;
    void on(const events::CheckpointBegins& event) override;

private:
    const std::filesystem::path file_;
    const double heartbeat_seconds_;
    std::optional<MetricsWriter> writer_;
    std::atomic<int64_t> step_{0};
    std::optional<Heartbeat> heartbeat_;  // writes to the metrics, so it is destroyed first
};

}  // namespace ddpm::train
