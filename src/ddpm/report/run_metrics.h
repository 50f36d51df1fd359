#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/report/column_curve.h"

namespace ddpm {

// A measurement of sample quality. NaN where the line has no such number.
struct QualityPoint {
    int64_t step = 0;
    double value = 0;
    double sd = 0;     // standard deviation of the value
    double floor = 0;  // what as many real pictures get
};

// Whether the loss on held-out pictures rises: three measurements or more have not gone below the lowest one, `best`, and the last one is
// more than 1 % above it.
inline bool held_out_loss_rises(int64_t measurements_since_best, double best, double last) {
    return measurements_since_best >= 3 && last > 1.01 * best;
}

// What metrics.jsonl says of a run (docs/reliability.md has its lines), in bounded memory: lists end after kMost entries, and the
// counts beside them go on.
struct RunMetrics {
    static constexpr size_t kMost = 400;

    // Each curve has at most twice so many columns.
    explicit RunMetrics(size_t columns = 800)
        : loss(columns),
          grad_norm(columns),
          learning_rate(columns),
          images_per_second(columns),
          held_out_raw(columns),
          held_out_ema(columns) {}

    struct Spike {
        int64_t step = 0;
        double score = 0, loss = 0;
    };
    struct Rollback {
        int64_t from = 0, to = 0;
        double learning_rate_factor = 1;
    };
    struct HeldOut {
        int64_t step = 0;
        double loss = 0;
    };

    ColumnCurve loss, grad_norm, learning_rate, images_per_second;
    ColumnCurve held_out_raw, held_out_ema;                    // the mean over t
    std::vector<ColumnCurve> held_out_by_t;                    // of the EMA weights, t ascending
    std::map<std::string, std::vector<QualityPoint>> quality;  // by the measure's name, every second point left out where too many
    std::vector<Spike> spikes;
    std::vector<Rollback> rollbacks;
    int64_t spike_count = 0, rollback_count = 0, skipped = 0;
    std::optional<HeldOut> best_held_out, last_held_out;  // of the EMA weights
    int64_t held_out_since_best = 0;                      // measurements after the best one
    std::optional<std::string> gave_up;                   // the place that the line names
    int64_t last_step = 0;                                // 0: no step is done
    double first_time = 0, last_time = 0;                 // in unix seconds, 0 if unknown; heartbeats count
    int64_t lines = 0;                                    // with a line break at the end
    int64_t unreadable = 0;                               // of them, those that are no metrics
    int64_t replaced = 0;                                 // of them, those whose step a later line does again
    bool torn = false;                                    // the last line has no line break
};

// Reads metrics.jsonl line by line. Where a step is done a second time, the later lines count and the earlier ones from that step on do
// not. Lines that are no metrics are counted and left out. A file that is missing is a user_error; one that can't be read is an
// Unreadable.
RunMetrics read_run_metrics(const std::filesystem::path& path, size_t columns = 800);

}  // namespace ddpm
