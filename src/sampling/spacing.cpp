#include "ddpm/sampling/spacing.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

std::vector<int64_t> leading(int64_t T, int64_t S, int64_t offset) {
    if ((S - 1) * (T / S) + offset >= T)
        key_error("sample.steps_offset", fmt::format("{} leads beyond the last timestep, {}, with {}; expected at most "
                                                     "{}",
                                                     offset, T - 1, plural(S, "step"), T - 1 - (S - 1) * (T / S)));
    std::vector<int64_t> times(S);
    for (int64_t i = 0; i < S; ++i) times[i] = i * (T / S) + offset;
    return times;
}

// std::nearbyint rounds halves to even like numpy. numpy's arange multiplies i by the difference of its first two
// values, d, which is not always −T/S to the last bit; that bit decides ties. For some S numpy yields a stray value after
// the S-th, near 0, that becomes t = −1; counting to S leaves it out.
std::vector<int64_t> trailing(int64_t T, int64_t S, int64_t /*offset*/) {
    const double start = static_cast<double>(T);
    const double d = (start - start / static_cast<double>(S)) - start;
    std::vector<int64_t> times(S);
    for (int64_t i = 0; i < S; ++i) times[S - 1 - i] = static_cast<int64_t>(std::nearbyint(start + static_cast<double>(i) * d)) - 1;
    return times;
}

std::vector<int64_t> linspace(int64_t T, int64_t S, int64_t /*offset*/) {
    std::vector<int64_t> times(S, 0);
    for (int64_t i = 1; i < S; ++i)
        times[i] = static_cast<int64_t>(
            std::nearbyint(static_cast<double>(i) * (static_cast<double>(T - 1) / static_cast<double>(S - 1))));
    return times;
}

double karras(double part, double high, double low, double rho) {
    const double begin = std::pow(high, 1 / rho), end = std::pow(low, 1 / rho);
    return std::pow(begin + part * (end - begin), rho);
}

double exponential(double part, double high, double low, double /*rho*/) {
    return std::exp(std::log(high) + part * (std::log(low) - std::log(high)));
}

// One of the two functions is there.
struct Spacing {
    const char* name;
    std::vector<int64_t> (*times)(int64_t T, int64_t S, int64_t offset);
    double (*ratio)(double part, double high, double low, double rho);  // `part` 0 … 1 of the way from high to low
};
constexpr Spacing kSpacings[] = {{"leading", leading, nullptr},
                                 {"trailing", trailing, nullptr},
                                 {"linspace", linspace, nullptr},
                                 {"karras", nullptr, karras},
                                 {"exponential", nullptr, exponential}};

const Spacing& spacing_named(const std::string& name) {
    for (const Spacing& spacing : kSpacings)
        if (name == spacing.name) return spacing;
    user_error(unknown_name("timestep spacing", name, timestep_spacing_names()));
}

}  // namespace

std::vector<std::string> timestep_spacing_names() {
    std::vector<std::string> names;
    for (const Spacing& spacing : kSpacings) names.emplace_back(spacing.name);
    return names;
}

bool spaces_noise(const std::string& spacing) { return spacing_named(spacing).ratio != nullptr; }

void check_steps(int64_t S, int64_t T) {
    if (S < 1 || S > T)
        key_error("sample.steps",
                  fmt::format("{} of a schedule that has {}; expected 1 … {}", plural(S, "step"), plural(T, "timestep"), T));
}

std::vector<int64_t> spaced_timesteps(const std::string& spacing, int64_t T, int64_t S, int64_t offset) {
    check_steps(S, T);
    const Spacing& known = spacing_named(spacing);
    if (known.times == nullptr) user_error(fmt::format("timestep spacing: {} spaces noise levels, not timesteps", spacing));
    return known.times(T, S, offset);
}

std::vector<double> spaced_ratios(const std::string& spacing, int64_t count, double high, double low, double rho) {
    const Spacing& known = spacing_named(spacing);
    if (known.ratio == nullptr) user_error(fmt::format("timestep spacing: {} spaces timesteps, not noise levels", spacing));
    std::vector<double> ratios = {high};
    for (int64_t i = 1; i < count; ++i)
        ratios.push_back(i + 1 == count ? low
                                        : known.ratio(static_cast<double>(i) / static_cast<double>(count - 1), high, low, rho));
    return ratios;
}

}  // namespace ddpm
