#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "ddpm/core/json.h"

namespace ddpm::train {

// The losses of the last steps, and how far above them the next one is.
//
// The score is the robust z of the logarithm, (ln x − median) / (1.4826 · MAD) over the last kWindow losses: a
// logarithm, because losses of small batches are skewed and their scale falls during training. On independent normal
// ln x the probability of a score above z is about Q(z / √(1 + (1.57 + 1.36·z²)/kWindow)), Q the normal tail: the
// variances of median and MAD make it more than Q(z). That is 2e-3 at 3, 2e-6 at 5, 1e-11 at 8.
class LossWindow {
public:
    static constexpr size_t kWindow = 200;

    // The score of a loss against those before it, which it then joins. 0 until the window is full.
    double add(double loss);

    // Among the counters of a checkpoint; reading begins errors with `path`.
    Json write() const;
    static LossWindow read(const Json& json, const std::string& path);

private:
    std::deque<double> losses_;  // the newest last
};

}  // namespace ddpm::train
