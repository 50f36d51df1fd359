#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/train/events.h"
#include "ddpm/train/options.h"

namespace ddpm::train {

using events::Rollback;

// What is to be done about steps whose loss or gradient is not finite. Each is skipped; after nonfinite_patience of them
// in a row the run goes back to its last good state and tries again; after max_rollbacks such returns it gives up.
struct StepGuard {
    int64_t in_a_row = 0;  // bad steps since the last good one
    int64_t skipped = 0;   // bad steps in all, those of abandoned attempts too
    std::vector<Rollback> rollbacks;

    enum class Verdict { go_on, skip, roll_back, give_up };
    Verdict judge(bool finite, const TrainOptions& options);

    // Notes a return to step `to`: nothing is in a row any more, and the next attempt begins.
    void roll_back(int64_t from, int64_t to, const TrainOptions& options);

    // Seeds all that is drawn at random (attempt_seed), so that the same trouble isn't met again.
    uint64_t attempt() const { return rollbacks.size(); }
    double learning_rate_factor() const { return rollbacks.empty() ? 1 : rollbacks.back().learning_rate_factor; }

    // Among the counters of a checkpoint; reading begins errors with `path`.
    Json write() const;
    static StepGuard read(const Json& json, const std::string& path);
};

}  // namespace ddpm::train
