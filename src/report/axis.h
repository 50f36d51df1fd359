#pragma once

#include <string>
#include <vector>

namespace ddpm::report {

struct Tick {
    double value;
    std::string label;  // empty: a faint line between labelled ones
};

// A range of numbers laid along a line.
struct Axis {
    double low = 0, high = 1;
    bool logarithmic = false;

    // 0 at `low`, 1 at `high`. NaN where a logarithm has none.
    double position(double value) const;
    bool shows(double value) const;
};

// Ascending, within the axis, about `count` labelled ones at round numbers.
std::vector<Tick> make_ticks(const Axis& axis, int count);

// "0.25", "20,000", "1.5×10⁻⁴": with as many digits as neighbours `step` apart need.
std::string tick_label(double value, double step);

}  // namespace ddpm::report
