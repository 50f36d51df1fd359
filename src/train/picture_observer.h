#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "ddpm/train/observer.h"

namespace ddpm::train {

// The pictures in a run's folder: samples/step-NNNNNN.png, and loss.png at the end. One that can't be written is warned about.
class PictureObserver : public Observer {
public:
    // Draws samples of the EMA network into `file`, or leaves none where `stop` becomes true.
    using Draw = std::function<void(UNet2D& ema, const std::filesystem::path& file, const std::function<bool()>& stop)>;

    PictureObserver(std::filesystem::path run, Draw draw) : run_(std::move(run)), draw_(std::move(draw)) {}

    bool has_samples(int64_t step) const { return std::filesystem::exists(samples_file(step)); }

    using Observer::on;
    void on(const events::SamplesDue& event) override;
    // Removes the pictures of steps that are taken back, before a checkpoint says so: else a kill after it would keep them.
    void on(const events::RollingBack& event) override;
    // Removes the loss.png of an earlier, shorter run, which this one has gone past.
    void on(const events::LastStepDone& event) override;
    void on(const events::Finished& event) override;

private:
    std::filesystem::path samples_file(int64_t step) const;

    const std::filesystem::path run_;
    const Draw draw_;
};

}  // namespace ddpm::train
