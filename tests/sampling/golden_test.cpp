// Published sums of |x_0| for a made-up network, in float64; diffusers' float32 gives the same to 3e-3.

#include <cmath>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

at::Tensor golden_start() {
    // x_T[n,c,h,w] = (((c·8+h)·8+w)·4+n)/768
    return (at::arange(768, at::kDouble) / 768).view({3, 8, 8, 4}).permute({3, 0, 1, 2}).contiguous();
}

const Network golden_network = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    const at::Tensor time = t.to(x.scalar_type()).view({-1, 1, 1, 1});
    return x * time / (time + 1);
};

// The noise is a float32 draw of LibTorch's CPU generator seeded 0 for each step, whether it is asked for or not.
double golden_sum(PredictionType type, double start_scale, const ResolvedSampling& settings) {
    const at::Tensor x_T = golden_start() * start_scale;
    const NoiseSource next = torch_noise(x_T.sizes().vec(), 0, at::kFloat);
    std::vector<at::Tensor> drawn;
    for (int64_t i = 0; i < settings.steps(); ++i) drawn.push_back(next(i));
    return sample_from(golden_network, type, x_T, settings, [&](int64_t i) { return drawn[static_cast<size_t>(i)]; })
        .abs()
        .sum()
        .item<double>();
}

ResolvedSampling ddim_10() {
    ResolvedSampling settings;
    settings.sampler = "ddim";
    settings.levels = walk_over(schedule_of("linear"), spaced_timesteps("leading", 1000, 10, 0));
    return settings;
}

TEST(Golden, Ddim) {
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, ddim_10()), 172.00652, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, ddim_10()), 52.53012, 5.1e-6);
}

TEST(Golden, DdimWhereClippingActs) {
    ResolvedSampling settings = ddim_10();
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 20, settings), 724.69094, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 20, settings), 659.50247, 5.1e-6);
    settings.clipped_eps = ClippedEps::raw;
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 20, settings), 724.69094, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 20, settings), 681.97813, 5.1e-6);
}

// A sampler without clipping and its sums.
struct Row {
    const char* sampler;
    int64_t order;
    double eta;
    double epsilon, v;
};

void expect_sums(const Walk& levels, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        SCOPED_TRACE(fmt::format("{} of order {}, eta {}", row.sampler, row.order, row.eta));
        ResolvedSampling settings;
        settings.sampler = row.sampler;
        settings.order = row.order;
        settings.eta = row.eta;
        settings.clip = false;
        settings.levels = levels;
        if (row.epsilon > 0) {
            EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, settings), row.epsilon, 5.1e-6);
        }
        if (row.v > 0) {
            EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), row.v, 5.1e-6);
        }
    }
}

const std::vector<int64_t> kSolverLinspace = {100, 200, 300, 400, 500, 599, 699, 799, 899, 999};

// 2M and UniPC of diffusers over the same t.
TEST(Golden, SolversOverTimesteps) {
    const NoiseSchedule linear = schedule_of("linear");
    expect_sums(spaced_walk(linear, "trailing", 10), {{"dpmpp_2m", 2, 0, 185.26486, 76.01062},
                                                      {"unipc", 1, 0, 176.01051, 61.10193},
                                                      {"unipc", 2, 0, 187.02293, 76.93323},
                                                      {"unipc", 3, 0, 187.77073, 77.21192},
                                                      {"heun", 2, 0, 190.33621, 80.27492},
                                                      {"ddim", 2, 1, 232.35959, 140.61450}});
    // At zero terminal SNR, whose first step has no end of ln k (diffusers begins a little below it: 75.36390).
    expect_sums(spaced_walk(schedule_of("linear", 1000, true), "trailing", 10), {{"dpmpp_2m", 2, 0, 0, 75.33968}});
    // linspace in the form of DPM-Solver: one time more, and t = 0 left out.
    expect_sums(walk_over(linear, kSolverLinspace),
                {{"dpmpp_2m", 2, 0, 185.01137, 75.66202}, {"dpmpp_2m", 2, 1, 278.84845, 164.72588}});
    // The same over the 996 t of the cosine schedule with λ ≥ −5.1.
    std::vector<int64_t> times;
    for (int i = 1; i <= 10; ++i) times.push_back(static_cast<int64_t>(std::nearbyint(99.5 * i)));
    expect_sums(walk_over(schedule_of("cosine"), times), {{"dpmpp_2m", 2, 0, 194.96113, 0}});
}

// With a t that lies between whole numbers.
TEST(Golden, SolversOverNoiseLevels) {
    const NoiseSchedule linear = schedule_of("linear");
    const Walk karras = spaced_walk(linear, "karras", 10);
    expect_sums(karras, {{"dpmpp_2m", 2, 0, 226.16479, 160.64427},
                         {"dpmpp_2m", 2, 0.5, 340.05295, 277.21203},
                         {"dpmpp_2m", 2, 1, 334.52494, 299.24722},
                         {"unipc", 2, 0, 230.15589, 160.83151},
                         {"unipc", 3, 0, 264.65709, 161.45866},
                         {"heun", 2, 0, 237.69087, 156.84006}});
    expect_sums(spaced_walk(linear, "exponential", 10),
                {{"dpmpp_2m", 2, 0, 209.03203, 119.38011}, {"unipc", 2, 0, 209.79467, 112.22123}});
    // With the t rounded, as diffusers rounds it.
    Walk rounded = karras;
    for (NoiseLevel& level : rounded) level.t = std::nearbyint(level.t);
    expect_sums(rounded, {{"dpmpp_2m", 2, 0, 226.18610, 160.65750}, {"unipc", 2, 0, 230.17864, 160.84571}});
}

// Churn 40 in [0.05, 50], s_noise 1.003.
TEST(Golden, HeunWithChurn) {
    const NoiseSchedule schedule = schedule_of("linear");
    ResolvedSampling settings;
    settings.sampler = "heun";
    settings.clip = false;
    settings.levels = spaced_walk(schedule, "karras", 10);
    settings.churn.s_noise = 1.003;
    settings.churn.levels = churned_levels(settings.levels, schedule, 40, 0.05, 50);
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, settings), 392.40751, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), 391.79313, 5.1e-6);
}

// 999 float32 draws of LibTorch's CPU generator seeded 0, for t = 999 … 1.
TEST(Golden, AncestralOverAllSteps) {
    ResolvedSampling settings;
    settings.levels = walk_over(schedule_of("linear"), spaced_timesteps("leading", 1000, 1000, 0));
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, settings), 258.9591, 5.1e-5);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), 202.0283, 5.1e-5);
}

}  // namespace
}  // namespace ddpm
