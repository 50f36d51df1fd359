#include "train/stop_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "ddpm/report/run_metrics.h"

namespace ddpm::train {

namespace {

constexpr size_t kFlat = 3;
constexpr double kChance = 1e-5;

}  // namespace

void StopRule::find(std::string cause, std::string words) {
    if (!finding_) finding_ = {std::move(cause), std::move(words)};
}

void StopRule::add_held_out(int64_t step, double loss) {
    if (!std::isfinite(loss)) return;
    if (!lowest_loss_ || loss < lowest_loss_->value) {
        lowest_loss_ = {step, loss, 0};
        losses_since_ = 0;
        return;
    }
    ++losses_since_;
    if (!held_out_loss_rises(losses_since_, lowest_loss_->value, loss)) return;
    find("held_out_loss",
         fmt::format("the loss on held-out images has risen since step {}, from {:.4f} to {:.4f}: further training learns the "
                     "pictures by heart",
                     with_commas(lowest_loss_->step), lowest_loss_->value, loss));
}

void StopRule::add_quality(int64_t step, const events::QualityOfSamples& number, const std::string& protocol) {
    if (!std::isfinite(number.value) || !std::isfinite(number.sd)) return;
    if (const std::string of = number.name + " " + protocol; of != protocol_) {
        protocol_ = of;
        last_.clear();
        highest_.reset();
    }
    last_.push_back({step, number.value, number.sd});
    if (last_.size() > kFlat) {
        if (!highest_ || last_.front().value > highest_->value) highest_ = last_.front();
        last_.erase(last_.begin());
    }
    if (!is_flat()) return;
    find("quality",
         fmt::format("{} has not fallen since step {}: it was {:.4g}, {:.4g} and {:.4g} +/- {:.2g} at the last three "
                     "measurements, which their deviations do not tell apart",
                     number.name, with_commas(last_.front().step), last_[0].value, last_[1].value, last_[2].value, 2 * number.sd));
}

bool StopRule::is_flat() const {
    if (last_.size() < kFlat || !highest_) return false;
    const auto differ = [](const Point& a, const Point& b) { return std::abs(a.value - b.value) > 2 * std::hypot(a.sd, b.sd); };
    for (const Point& a : last_) {
        for (const Point& b : last_)
            if (differ(a, b)) return false;
        if (highest_->value <= a.value || !differ(*highest_, a)) return false;
    }
    return last_.back().value >= std::min(last_[0].value, last_[1].value);
}

void StopRule::add_copies(int64_t step, const events::CopiesAmongSamples& copies) {
    if (copies.samples == 0 || copies.p_value > kChance) return;
    find("copies", fmt::format("{} of {} samples of step {} are as near to a training picture as {:.2g} % of held-out images are: "
                               "the network copies",
                               copies.flagged, copies.samples, with_commas(step), 100 * copies.expected));
}

}  // namespace ddpm::train
