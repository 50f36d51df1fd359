#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "ddpm/core/json.h"

namespace ddpm::train {

// The losses of the last steps, and a score of how far above them the next one is.
//
// The score is the robust z of the logarithm, (ln x − median) / (1.4826 · MAD) over the last kWindow losses: a
// logarithm, because losses of small batches are skewed and their scale falls during training. On independent normal
// ln x the probability of a score above z is about Q(z / √(1 + (1.57 + 1.36·z²)/kWindow)), Q the normal tail: the
// variances of median and MAD make it more than Q(z). That is 2e-3 at 3, 2e-6 at 5, 1e-11 at 8.
class LossWindow {
public:
    static constexpr size_t kWindow = 200;

    // Returns the score of a loss against the losses in the window, and adds it to the window. The score is 0 until the window is
    // full.
    double add(double loss);

    // These write and read its part of a checkpoint's counters. A value that is no such part is a user_error that begins with
    // `path`.
    Json write() const;
    static LossWindow read(const Json& json, const std::string& path);

private:
    std::deque<double> losses_;  // the newest last
};

}  // namespace ddpm::train
