// Guidance of Gaussians, whose tilted score is known: with c ~ N(m₁, v₁) and u ~ N(m₂, v₂) at every level, u + s·(c − u) is the
// score of a Gaussian with the precision s/V₁ + (1 − s)/V₂. Nothing is random.

#include <cmath>

#include <gtest/gtest.h>

#include "truth/closed_forms.h"
#include "truth/solver.h"

namespace ddpm {
namespace {

// x ~ N(mean, deviation²).
struct Bell {
    double mean, deviation;

    double variance(const NoiseLevel& level) const { return std::pow(level.alpha * deviation, 2) + std::pow(level.sigma, 2); }
    // E[ε | x_t] = −σ·(score).
    at::Tensor eps(const at::Tensor& x, const NoiseLevel& level) const {
        return level.sigma * (x - level.alpha * mean) / variance(level);
    }
};

// From k = 10 to 0.05, ln k in even steps, then to the clean level. A level's t is its index, so that a network finds it.
Walk numbered_levels(int64_t S) {
    Walk levels;
    for (int64_t i = 0; i <= S; ++i) {
        const double k = 10 * std::pow(0.05 / 10, static_cast<double>(i) / static_cast<double>(S));
        levels.push_back(noise_level(-0.5 * std::log1p(k * k), static_cast<double>(i)));
    }
    levels.push_back(clean_level());
    return levels;
}

at::Tensor as_output(PredictionType type, const NoiseLevel& level, const at::Tensor& x, const at::Tensor& eps) {
    const at::Tensor x0 = (x - level.sigma * eps) / level.alpha;
    return type == PredictionType::epsilon ? eps : type == PredictionType::sample ? x0 : level.alpha * eps - level.sigma * x0;
}

// Label 0 is c, label 1 is the empty one. All of a batch may differ in its label.
Network two_bells(const Walk& levels, PredictionType type, const Bell& c, const Bell& u) {
    return [=](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        const NoiseLevel& level = levels[static_cast<size_t>(t[0].item<int64_t>())];
        return as_output(type, level, x, at::where(y.view({-1, 1}) == 0, c.eps(x, level), u.eps(x, level)));
    };
}

const std::vector<Solver>& deterministic() {
    static const std::vector<Solver> all = {
        {"ddim"}, {"dpmpp_2m", 0, 2, 2}, {"heun", 0, 2, 2}, {"unipc", 0, 1, 2}, {"unipc", 0, 2, 3}};
    return all;
}

at::Tensor start() { return numbers({-6, -1, 0.3, 2, 9}).unsqueeze(1); }

at::Tensor drawn(const Network& network, PredictionType type, const ResolvedSampling& settings, const StepCallback& on_step = {}) {
    return sample(NetworkDenoiser(network, type), start(), at::zeros({5}, at::kLong), settings, torch_noise({5, 1}, 7), on_step);
}

// Every sampler with guidance does what it does with the tilted score itself, in every prediction.
TEST(GuidedGaussian, IsSampledByTheTiltedScore) {
    const Bell c{0.5, 0.3}, u{-0.2, 0.8};
    std::vector<Solver> solvers = deterministic();
    solvers.insert(solvers.end(), {{"ancestral"}, {"ddim", 0.5}, {"ddim", 1}, {"dpmpp_2m", 1}, {"unipc", 0, 3}});
    const Walk levels = numbered_levels(20);
    for (const double s : {0.0, 0.5, 1.0, 2.0, 4.0})
        for (const PredictionType type : {PredictionType::epsilon, PredictionType::sample, PredictionType::v_prediction})
            for (const Solver& solver : solvers)
                for (const bool one_batch : {true, false}) {
                    const Network tilted = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
                        const NoiseLevel& level = levels[static_cast<size_t>(t[0].item<int64_t>())];
                        const double V1 = c.variance(level), V2 = u.variance(level), precision = s / V1 + (1 - s) / V2;
                        const double b = level.alpha * (s * c.mean / V1 + (1 - s) * u.mean / V2);
                        return as_output(type, level, x, level.sigma * (precision * x - b));
                    };
                    const Network guided = guided_by_label(two_bells(levels, type, c, u), 1, {.scale = s}, one_batch);
                    const at::Tensor exact = drawn(tilted, type, solver.over(levels));
                    EXPECT_LT(largest(drawn(guided, type, solver.over(levels)) - exact), 1e-10 * (1 + largest(exact)))
                        << solver.sampler << " " << s;
                }
}

// Of equal widths, guidance is the Gaussian whose mean has gone from u's by s times the difference: the same result to rounding.
TEST(GuidedGaussian, OfEqualWidthsIsTheShiftedGaussian) {
    const double s = 3;
    const Bell c{0.5, 0.3}, u{-0.2, 0.3}, shifted{-0.2 + s * 0.7, 0.3};
    const Walk levels = numbered_levels(40);
    const PredictionType type = PredictionType::v_prediction;
    for (const Solver& solver :
         {Solver{"ancestral"}, Solver{"ddim", 0.5}, Solver{"dpmpp_2m", 1}, Solver{"heun"}, Solver{"unipc"}}) {
        const at::Tensor guided =
            drawn(guided_by_label(two_bells(levels, type, c, u), 1, {.scale = s}, true), type, solver.over(levels));
        const at::Tensor exact = drawn(two_bells(levels, type, shifted, u), type, solver.over(levels));
        EXPECT_LT(largest(guided - exact), 1e-11) << solver.sampler;
    }
}

// Of one mean m the flow dy/dk = k·(y − m)·(s/(v₁ + k²) + (1 − s)/(v₂ + k²)), y = x/α, has the solution
// y' − m = (y − m)·((v₁ + k'²)/(v₁ + k²))^(s/2)·((v₂ + k'²)/(v₂ + k²))^((1−s)/2).
double error_of_the_flow(const Solver& solver, int64_t S, bool by_network) {
    const double s = 2;
    const Bell c{0.3, 0.3}, u{0.3, 0.6};
    const Walk levels = numbered_levels(S);
    const PredictionType type = PredictionType::epsilon;
    const Network both = two_bells(levels, type, c, u);
    const auto with = [&](int64_t label) -> Network {
        return [=](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) { return both(x, t, at::full_like(y, label)); };
    };
    const Network guided = by_network ? guided_by_network(with(0), with(1), {.scale = s})  //
                                      : guided_by_label(both, 1, {.scale = s}, true);
    at::Tensor reached;
    drawn(guided, type, solver.over(levels), [&](const SamplingStep& step) {
        if (step.i + 1 == S) reached = step.x / step.to.alpha;
    });
    const NoiseLevel &from = levels.front(), &to = levels[static_cast<size_t>(S)];
    const auto gain = [&](const Bell& bell, double power) {
        const double v = bell.deviation * bell.deviation;
        return std::pow((v + std::pow(to.ratio(), 2)) / (v + std::pow(from.ratio(), 2)), power / 2);
    };
    const at::Tensor exact = 0.3 + (start() / from.alpha - 0.3) * gain(c, s) * gain(u, 1 - s);
    return largest(reached - exact);
}

// A restatement in Python has slopes 0.996, 1.992, 2.015 and 3.03 of ddim, dpmpp_2m, heun and unipc 2.
TEST(GuidedGaussian, TheErrorFallsWithTheOrder) {
    for (const Solver& solver : deterministic())
        for (const bool by_network : {false, true}) {
            const double slope = std::log2(error_of_the_flow(solver, 80, by_network) / error_of_the_flow(solver, 160, by_network));
            EXPECT_GT(slope, solver.falls - 0.15) << solver.sampler << " " << solver.order;
            EXPECT_LT(slope, solver.falls + 0.25) << solver.sampler << " " << solver.order;
        }
}

// The classes of a mixture: the guided answer is the slope of (1 − s)·ln q(x) + s·ln q(x|y), here by differences of the densities.
TEST(GuidedMixture, IsTheSlopeOfTheTiltedDensity) {
    const NoiseSchedule schedule = schedule_of("linear");
    const double weight[] = {0.3, 0.7}, mean[] = {-0.5, 0.6}, width[] = {0.15, 0.1};
    const Network all = mixture_on_a_line({0.3, 0.7}, {-0.5, 0.6}, {0.15, 0.1}).optimal_eps(schedule);
    const at::Tensor x = at::linspace(-2, 2, 41, at::kDouble).unsqueeze(1);
    for (const int64_t t : {20, 200, 500, 900})
        for (const size_t label : {size_t{0}, size_t{1}})
            for (const double s : {1.5, 4.0}) {
                const double a = schedule.level(t).alpha, sigma = schedule.level(t).sigma;
                const auto density = [&](const at::Tensor& at_x, size_t k) {
                    const double V = a * a * width[k] * width[k] + sigma * sigma;
                    return (-(at_x - a * mean[k]).square() / (2 * V)).exp() / std::sqrt(V);
                };
                const auto tilted = [&](const at::Tensor& at_x) {
                    const at::Tensor q = weight[0] * density(at_x, 0) + weight[1] * density(at_x, 1);
                    return (1 - s) * q.log() + s * density(at_x, label).log();
                };
                const Network one = mixture_on_a_line({1}, {mean[label]}, {width[label]}).optimal_eps(schedule);
                const at::Tensor guided =
                    guided_by_network(one, all, {.scale = s})(x, at::full({41}, static_cast<double>(t), at::kFloat), {});
                constexpr double h = 1e-4;
                // Five points: the error is of fourth order in h.
                const at::Tensor slope = (8 * (tilted(x + h) - tilted(x - h)) - (tilted(x + 2 * h) - tilted(x - 2 * h))) / (12 * h);
                const at::Tensor inside = density(x, label) > 1e-30;  // beyond it the densities end in denormal numbers
                const at::Tensor off = (guided + sigma * slope).masked_select(inside);
                EXPECT_GT(off.numel(), 5);
                EXPECT_LT(largest(off) / (1 + largest(guided.masked_select(inside))), 1e-7) << t << " " << label << " " << s;
            }
}

}  // namespace
}  // namespace ddpm
