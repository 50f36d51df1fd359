#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/train/events.h"

namespace ddpm::train {

// Decides from what was measured, in the order of the steps, whether further training has anything to gain. It has not if
// - the loss on held-out pictures rises (held_out_loss_rises, as `ddpm report` says it);
// - the first number of quality is flat: of the last three by one protocol, no two are further apart than twice the
//   deviation of their difference, the last one is not the lowest, and an earlier one of that protocol was higher than each
//   of them by more than that, so that a network which has not begun to learn is not taken for one that has ended;
// - samples are copies: more are flagged than chance explains once in 100,000 times.
class StopRule {
public:
    struct Finding {
        std::string cause;  // "held_out_loss", "quality" or "copies"
        std::string words;  // a sentence without its end: "the loss on held-out images has risen since step 400 …"
    };

    void add_held_out(int64_t step, double loss);
    // `protocol`: the numbers of another one are forgotten. Numbers that are not finite are left out, here and above.
    void add_quality(int64_t step, const events::QualityOfSamples& number, const std::string& protocol);
    void add_copies(int64_t step, const events::CopiesAmongSamples& copies);

    // What was found first. It does not change after that.
    const std::optional<Finding>& finding() const { return finding_; }

private:
    struct Point {
        int64_t step = 0;
        double value = 0, sd = 0;
    };
    void find(std::string cause, std::string words);
    bool is_flat() const;

    std::optional<Point> lowest_loss_;
    int64_t losses_since_ = 0;  // measurements after the lowest
    std::string protocol_;
    std::vector<Point> last_;       // up to three, oldest first
    std::optional<Point> highest_;  // of those before them
    std::optional<Finding> finding_;
};

}  // namespace ddpm::train
