// The comparison of samplers on Gaussian data, N(0.3, 0.3²) in every pixel, where the solution of the probability-flow ODE is known.

#include "ddpm/eval/comparison.h"

#include <cmath>

#include <gtest/gtest.h>

#include "sampling/toys.h"

namespace ddpm {
namespace {

constexpr double kMean = 0.3, kVariance = 0.09;
constexpr int64_t kPictures = 5;

const NoiseSchedule& schedule() {
    static const NoiseSchedule linear = schedule_of("linear");
    return linear;
}

class BestDenoiser : public Denoiser {
public:
    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor&) const override {
        const double gain = level.alpha * kVariance / (std::pow(level.alpha, 2) * kVariance + std::pow(level.sigma, 2));
        const at::Tensor x0 = kMean + gain * (x_t - level.alpha * kMean);
        return {x0, eps_from_x0(level, x_t, x0), std::nullopt};
    }
};

const at::Tensor& start() {
    static const at::Tensor x_T = torch_noise({kPictures, 3, 8, 8}, 7)(0);
    return x_T;
}

ResolvedSampling settings_of(SampleOptions options) {
    options.clip = false;
    return resolve_sampling(options, {}, schedule());
}

DrawPictures drawer(const ResolvedSampling& settings) {
    return [settings](int64_t first, int64_t count) {
        return sample(BestDenoiser(), start().slice(0, first, first + count), {}, settings, torch_noise({count, 3, 8, 8}, 8));
    };
}

SampleOptions solver(const std::string& name, int64_t steps) {
    return {.sampler = name, .steps = steps, .timestep_spacing = "exponential"};
}

const Reference& reference() {
    static const Reference drawn = draw_reference(drawer(settings_of(reference_options({}, 400, false))),
                                                  drawer(settings_of(reference_options({}, 200, false))), kPictures, 2);
    return drawn;
}

// y − μ at the first level, y = x/α.
at::Tensor centred() { return start() / schedule().level(999).alpha - kMean; }

// How far a solver is that multiplies y − μ by `gain`, from the exact solution: s²/√((s² + k²)(s² + k_0²)) from k to the last
// level k_0 and from there to x̂_0.
double distance_with(double gain) {
    const double k = schedule().level(999).ratio(), k0 = schedule().level(0).ratio();
    const double exact = kVariance / std::sqrt((kVariance + k * k) * (kVariance + k0 * k0));
    return std::abs(gain - exact) * centred().square().flatten(1).mean(1).sqrt().mean().item<double>();
}

TEST(Comparison, TheReferenceIsTheSolution) {
    const double k = schedule().level(999).ratio(), k0 = schedule().level(0).ratio();
    const at::Tensor exact = kMean + kVariance / std::sqrt((kVariance + k * k) * (kVariance + k0 * k0)) * centred();
    const double error = same_noise_distance(reference().pictures, exact).mean;
    EXPECT_LT(error, 1e-5);
    EXPECT_GT(reference().error.mean, error) << "half the steps are farther away";
    EXPECT_EQ(reference().pictures.size(0), kPictures);
    EXPECT_GT(reference().law_floor, 0);
}

// A step of DDIM from k to k' multiplies y − μ by (s² + k·k')/(s² + k²).
TEST(Comparison, MeasuresWhatDdimDoes) {
    for (const int64_t S : {10, 20, 40, 80}) {
        const ResolvedSampling settings = settings_of(solver("ddim", S));
        double gain = 1;
        for (size_t i = 0; i + 1 < settings.levels.size(); ++i) {
            const double k = settings.levels[i].ratio(), next = settings.levels[i + 1].ratio();
            gain *= (kVariance + k * next) / (kVariance + k * k);
        }
        const WayMeasured measured = measure_way(drawer(settings), false, reference(), 2, 3);
        EXPECT_NEAR(measured.distance->mean / distance_with(gain), 1, 1e-3) << S;
        EXPECT_LT(measured.distance->standard_error, measured.distance->mean);
        EXPECT_TRUE(measured.finite);
        EXPECT_EQ(measured.shown.size(0), 3);
        EXPECT_FALSE(measured.data_distance);
    }
}

TEST(Comparison, TheDistanceFallsWithTheOrder) {
    const struct {
        const char* sampler;
        double falls;
    } rows[] = {{"ddim", 0.95}, {"dpmpp_2m", 1.85}, {"heun", 1.85}, {"unipc", 2.85}};
    for (const auto& row : rows) {
        const auto measured = [&](int64_t S) {
            const ResolvedSampling settings = settings_of(solver(row.sampler, S));
            EXPECT_FALSE(adds_noise(settings));
            return measure_way(drawer(settings), false, reference(), kPictures, 1).distance->mean;
        };
        const auto evaluations = [&](int64_t S) { return static_cast<double>(sampler_info(row.sampler).evaluations(S)); };
        const double slope = std::log(measured(40) / measured(80)) / std::log(evaluations(80) / evaluations(40));
        EXPECT_GT(slope, row.falls) << row.sampler;
    }
}

TEST(Comparison, NoiseLeavesOnlyTheLaw) {
    SampleOptions churned = solver("heun", 10), nowhere = churned, half = solver("ddim", 10), sde = solver("dpmpp_2m", 10);
    churned.s_churn = nowhere.s_churn = 5;
    nowhere.s_tmin = 1e6;
    half.eta = 0.5;
    sde.eta = 1;
    for (const SampleOptions& options : {solver("ancestral", 10), churned, half, sde}) {
        const ResolvedSampling settings = settings_of(options);
        EXPECT_TRUE(adds_noise(settings)) << *options.sampler;
        const WayMeasured measured = measure_way(drawer(settings), true, reference(), kPictures, 1);
        EXPECT_FALSE(measured.distance) << *options.sampler;
        EXPECT_GT(measured.law_distance, 0) << *options.sampler;
    }
    EXPECT_FALSE(adds_noise(settings_of(nowhere))) << "no level is so noisy";
    EXPECT_FALSE(adds_noise(settings_of(solver("unipc", 10))));
}

TEST(Comparison, NaNIsSaid) {
    const auto draw = [](int64_t first, int64_t count) {
        at::Tensor pictures = reference().pictures.slice(0, first, first + count).clone();
        if (first == 2) pictures[1][0][0][0] = std::nan("");
        return pictures;
    };
    const WayMeasured broken = measure_way(draw, false, reference(), 2, 9);
    EXPECT_FALSE(broken.finite);
    EXPECT_TRUE(std::isnan(broken.distance->mean));
    EXPECT_TRUE(std::isnan(broken.law_distance));
    EXPECT_EQ(broken.shown.size(0), kPictures);
    const WayMeasured itself = measure_way(drawer(settings_of(reference_options({}, 400, false))), false, reference(), 2, 1);
    EXPECT_EQ(itself.distance->mean, 0) << "the same noise, the same way";
    EXPECT_LT(itself.law_distance, 1e-12);
}

TEST(Comparison, RealPicturesHaveAFloorOfTheirOwn) {
    Reference drawn =
        draw_reference(drawer(settings_of(solver("unipc", 20))), drawer(settings_of(solver("unipc", 10))), kPictures, 5);
    const at::Tensor real = kMean + 0.3 * torch_noise({10, 3, 8, 8}, 9)(0);
    measure_data(
        drawn, [&](int64_t first, int64_t count) { return real.slice(0, first, first + count); }, 10, 3);
    const auto shifted = [&](double by) {
        const DrawPictures draw = [&, by](int64_t first, int64_t count) { return real.slice(0, first, first + count) + by; };
        return measure_way(draw, false, drawn, 2, 1).data_distance.value();
    };
    EXPECT_GT(drawn.data_floor, 0);
    EXPECT_LT(shifted(0), drawn.data_floor) << "half of the real pictures beside all of them";
    EXPECT_GT(shifted(0.9), 10 * shifted(0));
}

TEST(Comparison, TheReferenceKeepsWhatSaysWhichOdeItIs) {
    const SampleOptions options =
        reference_options({.eta = 0.5, .s_churn = 3, .threshold_ratio = 0.9, .timestep_spacing = "karras", .rho = 5}, 30, false);
    EXPECT_EQ(options.sampler, "unipc");
    EXPECT_EQ(options.steps, 30);
    EXPECT_EQ(options.order, 2);
    EXPECT_EQ(options.threshold_ratio, 0.9);
    EXPECT_EQ(options.timestep_spacing, "exponential");
    EXPECT_FALSE(options.eta || options.s_churn || options.rho);
    EXPECT_EQ(reference_options({}, 30, true).timestep_spacing, "trailing");
}

}  // namespace
}  // namespace ddpm
