#pragma once

#include <cstdint>
#include <string>

#include "ddpm/report/metrics.h"
#include "train/state.h"

namespace ddpm {

// Writes the checkpoints of a run and removes old ones. One that can't be written (a full disk) is tried again after the
// next step, then once more after a pause of some; a third failure in a row ends the run as a runtime_failure. Nothing
// old is removed before something new is there.
class CheckpointKeeper {
public:
    CheckpointKeeper(const TrainJob& job, MetricsWriter& metrics) : job_(job), metrics_(metrics) {}

    // After a step: writes its checkpoint when it is `due`, or when an earlier one is to be tried again. `last` says that
    // no step follows: then it tries again at once. Returns whether the step's checkpoint is on the disk.
    bool after_step(const TrainState& state, bool due, bool last);

    void prune() const;

private:
    bool save(const TrainState& state, bool last);

    const TrainJob& job_;
    MetricsWriter& metrics_;
    int failures_ = 0;       // in a row
    int64_t try_again_ = 0;  // the step of the next try when failures_ > 0
};

}  // namespace ddpm
