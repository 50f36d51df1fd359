#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/train/events.h"
#include "ddpm/train/options.h"

namespace ddpm::train {

using events::Rollback;

// Decides what to do about bad steps, whose loss or gradient is not finite. Each of them is skipped. After nonfinite_patience of
// them in a row, the run goes back to its last good state and tries again. After max_rollbacks such returns it gives up.
struct StepGuard {
    int64_t in_a_row = 0;  // bad steps since the last good one
    int64_t skipped = 0;   // bad steps in all, including those of abandoned attempts
    std::vector<Rollback> rollbacks;

    enum class Verdict { go_on, skip, roll_back, give_up };
    Verdict judge(bool finite, const TrainOptions& options);

    // Notes a return from step `from` to step `to`. The next attempt begins, and in_a_row is 0 again.
    void roll_back(int64_t from, int64_t to, const TrainOptions& options);

    // The number of the attempt. All random numbers depend on it (attempt_seed), so that a new attempt takes other batches and
    // other noise.
    uint64_t attempt() const { return rollbacks.size(); }
    double learning_rate_factor() const { return rollbacks.empty() ? 1 : rollbacks.back().learning_rate_factor; }

    // These write and read its part of a checkpoint's counters. A value that is no such part is a user_error that begins with
    // `path`.
    Json write() const;
    static StepGuard read(const Json& json, const std::string& path);
};

}  // namespace ddpm::train
