#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "cli/config.h"
#include "cli/training_data.h"
#include "ddpm/eval/judge.h"
#include "ddpm/train/events.h"

namespace ddpm {
class UNet2D;
}

namespace ddpm::cli {

// Judges samples of a network in training, as section `eval` says. Real pictures are those of the training; where as many as there are
// samples are held out, these give the floor, otherwise some of the training's are kept apart for it, as `ddpm eval quality` does. Their
// features are computed at the first judgement and kept.
//
// Where the data set has fewer than kFewPictures pictures and some are held out, it also looks for copies of training pictures, by
// distances of pixels (find_copies).
class TrainingJudge {
public:
    static constexpr int64_t kFewPictures = 5000;

    // `data` must outlive the object. Throws a user_error about a key of the section: features that can't be made of these pictures, or
    // too few pictures.
    TrainingJudge(const Config& config, const TrainingData& data, c10::Device device);

    // As TrainJob::judge. The samples are drawn as the grids of the training, with noise that follows from the configuration's seed and
    // the step.
    std::optional<events::Judgement> operator()(UNet2D& ema, int64_t step, const std::function<bool()>& stop);

private:
    // What copies are looked for in: pixels of the training pictures, also mirrored if training mirrors, and the ratios of held-out ones.
    struct Originals {
        std::unique_ptr<Features> pixels;
        at::Tensor train;     // [T, D] float32
        at::Tensor held_out;  // [H] float64
    };

    RealFeatures measure_reference(const std::function<void()>& stop) const;
    std::optional<Originals> read_originals(const std::function<void()>& stop) const;
    events::Judgement judge(UNet2D& ema, int64_t step, const std::function<void()>& stop);

    const Config config_;
    const TrainingData& data_;
    const std::vector<QualityMetric> metrics_;
    const PictureFormat format_;
    const c10::Device device_;
    std::unique_ptr<Features> features_;  // until the reference is measured, then the judge's
    std::unique_ptr<Judge> judge_;
    std::optional<Originals> originals_;  // absent: copies are not looked for
};

}  // namespace ddpm::cli
