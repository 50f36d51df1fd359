#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "ddpm/train/observer.h"

namespace ddpm::train {

// Writes the pictures of a run's folder: samples/step-NNNNNN.png, and loss.png at the end. If one can't be written, a warning
// says so.
class PictureObserver : public Observer {
public:
    // As TrainJob::draw_samples.
    using Draw = std::function<void(UNet2D& ema, const std::filesystem::path& file, const std::function<bool()>& stop)>;

    PictureObserver(std::filesystem::path run, Draw draw) : run_(std::move(run)), draw_(std::move(draw)) {}

    // The picture that the last SamplesDue led to; nothing if it could not be written or the run had to stop.
    const std::optional<std::filesystem::path>& drawn() const { return drawn_; }
    bool has_samples(int64_t step) const { return std::filesystem::exists(samples_file(step)); }

    using Observer::on;
    void on(const events::SamplesDue& event) override;
    // Removes the pictures of the steps that are taken back. It does so before a checkpoint records the rollback, because a kill
    // after that checkpoint would leave them.
    void on(const events::RollingBack& event) override;
    // Removes loss.png, which an earlier, shorter run has left in this folder.
    void on(const events::LastStepDone& event) override;
    void on(const events::Finished& event) override;

private:
    std::filesystem::path samples_file(int64_t step) const;

    const std::filesystem::path run_;
    const Draw draw_;
    std::optional<std::filesystem::path> drawn_;
};

}  // namespace ddpm::train
