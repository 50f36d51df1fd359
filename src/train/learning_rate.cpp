#include "ddpm/train/learning_rate.h"

#include <cmath>
#include <numbers>

#include "ddpm/train/options.h"

namespace ddpm {

namespace {

struct Schedule {
    const char* name;
    double (*factor)(double progress);  // progress 0 … 1 after warm-up
};

const Schedule kSchedules[] = {
    {"constant", [](double) { return 1.0; }},
    {"cosine", [](double p) { return 0.5 * (1.0 + std::cos(std::numbers::pi * p)); }},
    {"linear", [](double p) { return 1.0 - p; }},
};

}  // namespace

const std::vector<std::string>& learning_rate_schedules() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Schedule& schedule : kSchedules) all.emplace_back(schedule.name);
        return all;
    }();
    return names;
}

double learning_rate_at(int64_t step, const TrainOptions& options) {
    if (step < options.warmup_steps)
        return options.learning_rate * static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
    const double progress =
        static_cast<double>(step - options.warmup_steps) / static_cast<double>(options.steps - options.warmup_steps);
    for (const Schedule& schedule : kSchedules)
        if (options.lr_schedule == schedule.name) return options.learning_rate * schedule.factor(progress);
    key_error("train.lr_schedule", unknown_name("schedule", options.lr_schedule, learning_rate_schedules()));
}

}  // namespace ddpm
