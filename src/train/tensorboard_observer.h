#pragma once

#include <filesystem>
#include <optional>

#include "ddpm/report/event_file.h"
#include "ddpm/train/observer.h"

namespace ddpm::train {

// Writes what metrics.jsonl has as numbers, and the grids of samples, into RUN/tensorboard/ for TensorBoard. A session begins a new
// file. Where steps come again, after a resume or a rollback, it writes an event that makes a reader drop the earlier ones; a
// grid that a kill has kept out of the file although it is in samples/ stays out of it.
class TensorboardObserver : public Observer {
public:
    explicit TensorboardObserver(std::filesystem::path run) : run_(std::move(run)) {}

    using Observer::on;
    // Removes the files of an earlier run in this folder, unless the run goes on.
    void on(const events::AttemptBegun& event) override;
    void on(const events::StepDone& event) override;
    void on(const events::Validated& event) override;
    void on(const events::QualityMeasured& event) override;
    void on(const events::SamplesDrawn& event) override;
    void on(const events::CheckpointBegins& event) override;

private:
    const std::filesystem::path run_;
    std::optional<EventFile> file_;
};

}  // namespace ddpm::train
