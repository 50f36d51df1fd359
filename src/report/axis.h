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

    // Returns 0 for `low` and 1 for `high`. On a logarithmic axis a value that is not positive gives NaN.
    double position(double value) const;
    bool shows(double value) const;
};

// Returns ticks at round numbers within the axis, ascending, about `count` of them with labels.
std::vector<Tick> make_ticks(const Axis& axis, int count);

// Returns "0.25", "20,000" or "1.5×10⁻⁴", with as many digits as it takes to tell values apart that differ by `step`.
std::string tick_label(double value, double step);

}  // namespace ddpm::report
