#include <algorithm>
#include <cmath>

#include "ddpm/sampling/sampler.h"
#include "ddpm/sampling/spacing.h"

namespace ddpm {

Walk walk_over(const NoiseSchedule& schedule, const std::vector<int64_t>& timesteps) {
    check_timesteps(timesteps, schedule.size());
    Walk levels;
    for (auto t = timesteps.rbegin(); t != timesteps.rend(); ++t) levels.push_back(schedule.level(*t));
    levels.push_back(clean_level());
    return levels;
}

Walk spaced_walk(const NoiseSchedule& schedule, const std::string& spacing, int64_t S, int64_t offset, double rho) {
    const int64_t T = schedule.size();
    if (!spaces_noise(spacing)) return walk_over(schedule, spaced_timesteps(spacing, T, S, offset));
    check_steps(S, T);
    Walk levels;
    int64_t highest = T - 1;
    if (schedule.level(highest).alpha == 0) levels.push_back(schedule.level(highest--));
    if (const int64_t left = S - static_cast<int64_t>(levels.size()); left > 0)
        for (const double k : spaced_ratios(spacing, left, schedule.level(highest).ratio(), schedule.level(0).ratio(), rho))
            levels.push_back(schedule.level_of_ratio(k));
    levels.push_back(clean_level());
    return levels;
}

std::vector<NoiseLevel> churned_levels(const Walk& levels, const NoiseSchedule& schedule, double s_churn, double s_tmin,
                                       double s_tmax) {
    const size_t S = levels.size() - 1;
    const double gamma = std::min(s_churn / static_cast<double>(S), std::sqrt(2.0) - 1);
    std::vector<NoiseLevel> churned(levels.begin(), levels.end() - 1);
    for (NoiseLevel& level : churned) {
        const double k = level.ratio();
        if (k < s_tmin || k > s_tmax) continue;
        const NoiseLevel raised = schedule.level_of_ratio((1 + gamma) * k);
        if (raised.ratio() > k) level = raised;
    }
    return churned;
}

}  // namespace ddpm
