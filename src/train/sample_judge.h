#pragma once

#include <cstdint>
#include <functional>

#include "ddpm/train/trainer.h"
#include "train/observers.h"
#include "train/state.h"

namespace ddpm::train {

// Has the samples of a run judged when that is due, within eval.share of the session's time. What is measured at a step
// follows from the seed and the step; whether it is measured depends on the clock, unless the share is 1. Neither changes
// the training.
class SampleJudge {
public:
    // The session begins now. The arguments must outlive the object.
    SampleJudge(const TrainJob& job, const Observers& observers);

    // Whether samples are judged after `step`.
    bool due(int64_t step) const;

    // Judges samples of the EMA weights, which takes as long as TrainJob::judge does, and tells QualityMeasured; or tells
    // JudgingSkipped. Returns whether they are the best so far, and notes that in the state; so it must come before the step's
    // checkpoint. After a skipped step they never are, because a rollback would remove that checkpoint. An Error becomes a warning.
    bool judge(TrainState& state, const std::function<bool()>& stop);

private:
    double share_of_time() const;
    bool note(TrainState& state, const events::Judgement& judgement) const;

    const TrainJob& job_;
    const Observers& observers_;
    double began_ = 0, spent_ = 0;  // seconds of the job's clock
    int64_t skipped_ = 0;
};

}  // namespace ddpm::train
