#include "ddpm/sampling/editing.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/diffusion/posterior.h"
#include "sampling/samplers.h"

namespace ddpm {

namespace {

constexpr double kRounding = 1e-9;

Walk last_steps(const Walk& walk, double strength) {
    const auto S = static_cast<int64_t>(walk.size()) - 1;
    if (!(strength > 0 && strength <= 1)) key_error("strength", fmt::format("got {}, expected above 0 and at most 1", strength));
    const auto n = static_cast<int64_t>(std::floor(static_cast<double>(S) * strength + kRounding));
    if (n < 1)
        key_error("strength", fmt::format("{} of {} is less than one step, expected at least {:.3g}", strength, plural(S, "step"),
                                          std::ceil(1e3 / static_cast<double>(S)) / 1e3));
    return {walk.end() - 1 - std::min(n, S), walk.end()};
}

Walk walk_from(const Walk& walk, int64_t t, const NoiseSchedule& schedule) {
    if (t < 0 || t >= schedule.size()) key_error("from_t", fmt::format("got {}, expected 0 … {}", t, schedule.size() - 1));
    Walk rest{schedule.level(t)};
    for (const NoiseLevel& level : walk)
        if (level.clean() || level.ratio() < rest.front().ratio() * (1 - kRounding)) rest.push_back(level);
    return rest;
}

}  // namespace

ResolvedSampling begun_at(ResolvedSampling settings, const WalkStart& start, const NoiseSchedule& schedule) {
    if (start.strength && start.from_t) key_error("from_t", "says where to begin, and so does the strength; leave one out");
    const auto S = static_cast<double>(settings.steps());
    if (start.strength) settings.levels = last_steps(settings.levels, *start.strength);
    if (start.from_t) settings.levels = walk_from(settings.levels, *start.from_t, schedule);
    Churn& churn = settings.churn;
    if (start.in_the_middle() && !churn.levels.empty())
        churn.levels = churned_levels(settings.levels, schedule, churn.s_churn * static_cast<double>(settings.steps()) / S,
                                      churn.s_tmin, churn.s_tmax);
    return settings;
}

StepHook keep_known(const at::Tensor& known, const at::Tensor& mask, const NoiseSource& noise) {
    return [=](const at::Tensor& x, int64_t i, const NoiseLevel& level) {
        const at::Tensor M = mask.to(x.options());
        at::Tensor there = level.alpha * known.to(x.options());
        if (!level.clean()) there = there + level.sigma * noise(i).to(x.options());
        return M * there + (1 - M) * x;
    };
}

std::vector<int64_t> repaint_order(int64_t S, const Repaint& repaint) {
    const auto [r, j] = repaint;
    if (r < 1 || r > 1000) key_error("repaint", fmt::format("each step is taken {} times, expected 1 … 1000", r));
    if (S < 2) key_error("repaint", "jumps back, but the walk has 1 step alone; take more steps, or leave it out");
    if (j < 1 || j >= S)
        key_error("repaint", fmt::format("jumps over {}, expected 1 … {} of {}", plural(j, "step"), S - 1, plural(S, "step")));
    std::vector<int64_t> jumps_left(static_cast<size_t>(S), 0), order;
    for (int64_t tau = 0; tau < S - j; tau += j) jumps_left[static_cast<size_t>(tau)] = r - 1;
    for (int64_t tau = S; tau >= 1;) {
        order.push_back(--tau);
        if (jumps_left[static_cast<size_t>(tau)] == 0) continue;
        --jumps_left[static_cast<size_t>(tau)];
        for (int64_t up = 0; up < j; ++up) order.push_back(++tau);
    }
    return order;
}

int64_t steps_taken(const std::vector<int64_t>& order) {
    int64_t count = 0, before = order.empty() ? 0 : order.front() + 1;
    for (const int64_t tau : order) {
        if (tau < before) ++count;
        before = tau;
    }
    return count;
}

std::vector<std::string> repainting_samplers() {
    std::vector<std::string> names;
    for (const SamplerInfo& info : sampler_infos())
        if (info.repaints) names.push_back(info.name);
    return names;
}

at::Tensor sample_repaint(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y, const ResolvedSampling& settings,
                          const Repaint& repaint, const NoiseSource& noise, const NoiseSource& undo, const StepCallback& on_step,
                          const StepHook& hook) {
    const Sampler& sampler = sampler_named(settings.sampler);
    if (!sampler.repaints)
        key_error("repaint", fmt::format("can't repeat the steps of {}, expected {}", sampler.name, join(repainting_samplers())));
    const int64_t S = settings.steps();
    const std::vector<int64_t> order = repaint_order(S, repaint);
    const int64_t taken = steps_taken(order);
    int64_t visit = 0, undone = 0, before = S;
    const auto level = [&](int64_t above_clean) { return settings.levels[static_cast<size_t>(S - above_clean)]; };
    const NoiseSource noise_of_visit = [&](int64_t) { return noise(visit); };
    const StepCallback shown = [&](const SamplingStep& step) {
        if (on_step) on_step({visit, taken, step.from, step.to, step.x, step.pred_x0});
    };
    const StepHook replaced = [&](const at::Tensor& x, int64_t, const NoiseLevel& to) { return hook ? hook(x, visit, to) : x; };
    const c10::InferenceMode no_gradients;
    return sampling::with_bounds(denoiser, settings, [&](const Denoiser& bounded) {
        at::Tensor x = x_T;
        ResolvedSampling one = settings;
        for (const int64_t tau : order) {
            if (tau > before) {
                const double beta = posterior_step(level(before + 1), level(before)).beta;
                x = std::sqrt(1 - beta) * x + std::sqrt(beta) * undo(undone++).to(x.options());
            } else {
                one.levels = {level(tau + 1), level(tau)};
                x = sampler.run({bounded, x, y, one, noise_of_visit, shown, replaced});
                ++visit;
            }
            before = tau;
        }
        return x;
    });
}

at::Tensor encode(const Denoiser& denoiser, const at::Tensor& x_0, const at::Tensor& y, const Walk& walk, PredictionType type,
                  int64_t evaluations, const std::function<void(int64_t)>& after_step) {
    const c10::InferenceMode no_gradients;
    at::Tensor x = x_0;
    const auto S = static_cast<int64_t>(walk.size()) - 1;
    for (int64_t done = 1; done <= S; ++done) {
        const NoiseLevel& from = walk[static_cast<size_t>(S - done + 1)];
        const NoiseLevel& to = walk[static_cast<size_t>(S - done)];
        // The network is asked for ε of the step, so it is told t of the level that the step leads to, while x is still at `from`.
        // An answer that is x̂_0 has no ε at the clean level; there it is read as if x had come to `to` already.
        NoiseLevel read = from;
        read.t = to.t;
        if (from.clean() && type == PredictionType::sample) read = to;
        at::Tensor eps = denoiser.predict(x, read, y).pred_eps;
        const auto step = [&] { return to.alpha / from.alpha * (x - from.sigma * eps) + to.sigma * eps; };
        at::Tensor reached = step();
        for (int64_t k = 1; k < evaluations && to.alpha > 0; ++k) {
            eps = denoiser.predict(reached, to, y).pred_eps;
            reached = step();
        }
        x = reached;
        if (after_step) after_step(done);
    }
    return x;
}

at::Tensor slerp(const at::Tensor& x, const at::Tensor& y, double fraction) {
    if (fraction == 0) return x;
    if (fraction == 1) return y.to(x.options());
    const at::Tensor a = x.to(at::kDouble), b = y.to(at::kDouble);
    // Half the angle from the lengths of the sum and the difference of the unit vectors: exact for small angles too.
    const at::Tensor u = a / a.norm(), v = b / b.norm();
    const double theta = 2 * std::atan2((u - v).norm().item<double>(), (u + v).norm().item<double>());
    if (theta < 1e-6) return ((1 - fraction) * a + fraction * b).to(x.options());
    if (std::sin(theta) < 1e-6) user_error("slerp: the two are opposite to each other, and no way between them is the shortest");
    return ((std::sin((1 - fraction) * theta) * a + std::sin(fraction * theta) * b) / std::sin(theta)).to(x.options());
}

}  // namespace ddpm
