// The data are two pictures p_k of two pixels each: E[x_0|x_t] = Σ r_k·p_k with
// r_k ∝ w_k·exp(−|x_t − a·p_k|²/2σ²). Seeds are fixed; "false alarm" is the probability that a right program would have
// failed with a seed drawn at random.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/sampling/spacing.h"
#include "truth/closed_forms.h"

namespace ddpm {
namespace {

constexpr double kFirst[] = {1.2, -0.4}, kSecond[] = {-0.7, 0.6}, kWeight = 0.3;  // of the first
const double kLogOdds = std::log(kWeight / (1 - kWeight));

at::Tensor picture(const double* pixels) { return numbers({pixels[0], pixels[1]}).view({1, 1, 1, 2}); }

// The best x̂_0 for pictures [N, 1, 1, 2].
at::Tensor posterior_mean_of(const at::Tensor& x_t, double a, double sigma_t) {
    const auto distance = [&](const double* pixels) { return (x_t - a * picture(pixels)).square().sum({1, 2, 3}, true); };
    const at::Tensor r = ((distance(kSecond) - distance(kFirst)) / (2 * sigma_t * sigma_t) + kLogOdds).sigmoid();
    return r * picture(kFirst) + (1 - r) * picture(kSecond);
}

// A network that knows it, and answers in the way asked for.
Network network_of(const NoiseSchedule& schedule, PredictionType type) {
    return [=](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor&) {
        const int64_t time = t[0].item<int64_t>();
        const at::Tensor x0 =
            posterior_mean_of(x_t, schedule.sqrt_alphas_cumprod()[time], schedule.sqrt_one_minus_alphas_cumprod()[time]);
        const at::Tensor times = t.to(at::kLong);
        return type == PredictionType::sample    ? x0
               : type == PredictionType::epsilon ? eps_from_x0(schedule, x_t, times, x0)
                                                 : v_from_x0(schedule, x_t, times, x0);
    };
}

// How often the exact chain ends at the first picture, to 1e-4. Across the line through both pictures x̂_0 is fixed, so
// only the place along it counts; its law is carried from step to step as masses on a grid, a fine one where no noise
// spreads them. It stops where the two can no longer be mistaken for each other.
double exact_share(const NoiseSchedule& schedule, const Way& way) {
    const double length = std::hypot(kFirst[0] - kSecond[0], kFirst[1] - kSecond[1]);
    const double along[] = {(kFirst[0] - kSecond[0]) / length, (kFirst[1] - kSecond[1]) / length};
    const double first = kFirst[0] * along[0] + kFirst[1] * along[1];
    const double second = kSecond[0] * along[0] + kSecond[1] * along[1];
    const bool ancestral = std::string(way.sampler) == "ancestral";
    const int64_t points = ancestral || way.eta > 0 ? 701 : 140'001;
    const double width = 14.0 / static_cast<double>(points - 1);
    const at::Tensor grid = at::linspace(-7, 7, points, at::kDouble);
    at::Tensor mass = (-0.5 * grid.square()).exp(), place = grid;
    double a = 1;
    for (int64_t t = schedule.size() - 1; t >= 0; --t) {
        a = schedule.sqrt_alphas_cumprod()[t];
        const double sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
        if (sigma_t < 0.15) break;
        const at::Tensor nearer = (place - a * second).square() - (place - a * first).square();
        const at::Tensor x0 = second + (nearer / (2 * sigma_t * sigma_t) + kLogOdds).sigmoid() * (first - second);
        const double a_p = std::sqrt(schedule.alphas_cumprod_prev()[t]), left = 1 - schedule.alphas_cumprod_prev()[t];
        const double beta = schedule.betas()[t], beta_tilde = beta * left / (sigma_t * sigma_t);
        double added;
        if (ancestral) {
            added = way.variance == VarianceType::fixed_large ? beta : beta_tilde;
            place = a_p * beta / (sigma_t * sigma_t) * x0 + std::sqrt(1 - beta) * left / (sigma_t * sigma_t) * place;
        } else {
            added = way.eta * way.eta * beta_tilde;
            place = a_p * x0 + std::sqrt(std::max(0.0, left - added)) * (place - a * x0) / sigma_t;
        }
        if (added == 0) continue;
        if (std::sqrt(added) < 1.5 * width) {  // too little for the grid, and by then for anybody to change sides
            EXPECT_LT(left, 0.15 * 0.15) << way.name << " at " << t;
            continue;
        }
        at::Tensor kernel = grid.unsqueeze(1) - place.unsqueeze(0);
        mass = at::matmul(kernel.square_().mul_(-0.5 / added).exp_(), mass);
        mass = mass / mass.sum();
        place = grid;
    }
    const double middle = a * 0.5 * (first + second);
    return (mass.masked_select(place > middle).sum() / mass.sum()).item<double>();
}

// n = 4,000: the share strays by √(0.21/n) = 0.0072; five of those, 15 comparisons, false alarm 9e-6. The exact share
// differs from the weight by what few steps cost. Each sample ends on one of the two pictures.
TEST(TwoPixels, SharesAreThoseOfTheExactChain) {
    constexpr int64_t n = 4000;
    const NoiseSchedule schedule = schedule_of("linear");
    const at::Tensor both = numbers({kFirst[0], kFirst[1], kSecond[0], kSecond[1]}).view({2, 2});
    uint64_t seed = 300;
    for (const Way& way : ways()) {
        for (const int64_t S : {10, 50, 1000}) {
            const std::vector<int64_t> times = spaced_timesteps("linspace", 1000, S, 0);
            const at::Tensor x_T = torch_noise({n, 1, 1, 2}, ++seed)(0);
            const NoiseSource noise = torch_noise({n, 1, 1, 2}, ++seed);
            const at::Tensor x_0 = sample_from(network_of(schedule, PredictionType::epsilon), PredictionType::epsilon, x_T,
                                               way.over(schedule, times), noise);
            const at::Tensor distances = at::cdist(x_0.view({n, 2}), both);
            EXPECT_LT(largest(distances.amin(1)), 1e-4) << way.name << " " << S;
            const double share = (distances.argmin(1) == 0).to(at::kDouble).mean().item<double>();
            const double exact = S == 1000 ? kWeight : exact_share(schedule.respaced(times), way);
            EXPECT_NEAR(share, exact, 5 * 0.0072) << way.name << " " << S;
            EXPECT_NEAR(exact, kWeight, S == 10 ? 0.05 : 0.01) << way.name << " " << S;
        }
    }
}

// The error of the exact share falls at least with the first order as steps are doubled: slopes measured 1.0 (β̃_t), 1.8
// (β_t), 1.3 (η = 0) and 1.1 (η = 0.5).
TEST(TwoPixels, TheExactShareConverges) {
    for (const Way& way : ways()) {
        std::vector<double> errors;
        for (const int64_t T : {25, 50, 100}) errors.push_back(std::abs(exact_share(schedule_of("linear", T), way) - kWeight));
        for (size_t i = 0; i + 1 < errors.size(); ++i) {
            EXPECT_GT(std::log2(errors[i] / errors[i + 1]), 0.9) << way.name;
        }
        EXPECT_LT(errors.back(), 0.005) << way.name;
    }
}

// What the network says, ε, x_0 or v, makes no difference to where a sample goes.
TEST(TwoPixels, EveryPredictionTypeTakesTheSameWay) {
    const NoiseSchedule schedule = schedule_of("cosine");
    for (const Way& way : ways()) {
        const auto sampled = [&](PredictionType type) {
            return sample_from(network_of(schedule, type), type, torch_noise({50, 1, 1, 2}, 41)(0),
                               way.over(schedule, spaced_timesteps("linspace", 1000, 50, 0)), torch_noise({50, 1, 1, 2}, 42));
        };
        const at::Tensor by_eps = sampled(PredictionType::epsilon);
        EXPECT_LT(largest(sampled(PredictionType::sample) - by_eps), 1e-9) << way.name;
        EXPECT_LT(largest(sampled(PredictionType::v_prediction) - by_eps), 1e-9) << way.name;
    }
}

}  // namespace
}  // namespace ddpm
