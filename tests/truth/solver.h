#pragma once

#include <limits>
#include <string>

#include <spdlog/fmt/fmt.h>

#include "ddpm/sampling/sampler.h"

namespace ddpm {

// A sampler, what is set of it, and the power of the step that its error falls with. Nothing is clipped.
struct Solver {
    const char* sampler;
    double eta = 0;
    int64_t order = 2;
    double falls = 1;
    double s_churn = 0;

    ResolvedSampling over(const Walk& levels) const {
        ResolvedSampling settings;
        settings.sampler = sampler;
        settings.eta = eta;
        settings.order = order;
        settings.clip = false;
        settings.levels = levels;
        return settings;
    }

    // With the schedule that churn needs to know of.
    ResolvedSampling over(const Walk& levels, const NoiseSchedule& schedule) const {
        ResolvedSampling settings = over(levels);
        if (s_churn > 0)
            settings.churn.levels = churned_levels(levels, schedule, s_churn, 0, std::numeric_limits<double>::infinity());
        return settings;
    }

    std::string name() const { return fmt::format("{}, eta {}, order {}, churn {}", sampler, eta, order, s_churn); }
};

}  // namespace ddpm
