#include "axis.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm::report {

namespace {

std::string superscript(int exponent) {
    static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    std::string text = exponent < 0 ? "⁻" : "";
    for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[digit - '0'];
    return text;
}

// The smallest of 1, 2, 5 times a power of ten that is no less.
double round_step(double least) {
    const double power = std::pow(10.0, std::floor(std::log10(least)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (factor * power >= least * (1 - 1e-9)) return factor * power;
    return 10 * power;
}

std::vector<Tick> linear_ticks(const Axis& axis, int count) {
    const double step = round_step((axis.high - axis.low) / std::max(count, 1));
    std::vector<Tick> ticks;
    for (double i = std::ceil(axis.low / step - 1e-9); i * step <= axis.high + 1e-9 * step; ++i)
        ticks.push_back({i * step, tick_label(i * step, step)});
    return ticks;
}

std::string power_label(int exponent) { return "10" + superscript(exponent); }

std::vector<Tick> logarithmic_ticks(const Axis& axis, int count) {
    const int first = static_cast<int>(std::floor(std::log10(axis.low))), last = static_cast<int>(std::ceil(std::log10(axis.high)));
    const double decades = std::log10(axis.high / axis.low);
    std::vector<Tick> ticks;
    if (decades < 1) {
        for (Tick& tick : linear_ticks(axis, count))
            if (axis.shows(tick.value)) ticks.push_back(std::move(tick));
        return ticks;
    }
    const bool few = decades < 2.5;  // then 2 and 5 have labels too, and all labels are plain numbers
    const int stride = std::max(1, static_cast<int>(std::ceil(decades / std::max(count, 1))));
    for (int exponent = first; exponent <= last; ++exponent) {
        const double power = std::pow(10.0, exponent);
        for (int factor = 1; factor < 10; ++factor) {
            if (!axis.shows(factor * power) || (factor > 1 && stride > 1)) continue;
            const bool labelled = few ? factor == 1 || factor == 2 || factor == 5 : factor == 1 && exponent % stride == 0;
            ticks.push_back({factor * power, !labelled ? "" : few ? tick_label(factor * power, power) : power_label(exponent)});
        }
    }
    return ticks;
}

}  // namespace

double Axis::position(double value) const {
    if (!logarithmic) return (value - low) / (high - low);
    return value > 0 ? std::log(value / low) / std::log(high / low) : std::nan("");
}

bool Axis::shows(double value) const {
    const double at = position(value);
    return at >= -1e-9 && at <= 1 + 1e-9;
}

std::vector<Tick> make_ticks(const Axis& axis, int count) {
    return axis.logarithmic ? logarithmic_ticks(axis, count) : linear_ticks(axis, count);
}

std::string tick_label(double value, double step) {
    if (std::abs(value) < step * 1e-6) return "0";
    const int step_exponent = static_cast<int>(std::floor(std::log10(step) + 1e-9));
    const double size = std::abs(value);
    std::string text;
    if (size >= 1e6 || step < 1e-4) {
        const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
        text = fmt::format("{:.{}f}", size / std::pow(10.0, exponent), std::max(exponent - step_exponent, 0));
        text = (text == "1" ? "" : text + "×") + power_label(exponent);
    } else if (step_exponent >= 0) {
        text = with_commas(std::llround(size));
    } else {
        text = fmt::format("{:.{}f}", size, -step_exponent);
    }
    return (value < 0 ? "−" : "") + text;
}

}  // namespace ddpm::report
