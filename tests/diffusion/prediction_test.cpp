#include "ddpm/diffusion/prediction.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/process.h"

namespace ddpm {
namespace {

struct Example {
    at::Tensor t = at::arange(0, 1000, 37, at::kLong);
    at::Tensor x_start = at::linspace(-1, 1, t.size(0) * 6, at::kDouble).view({t.size(0), 1, 2, 3});
    at::Tensor noise = at::linspace(2, -2.5, t.size(0) * 6, at::kDouble).view({t.size(0), 1, 2, 3}).flip(3);
};

NoiseSchedule schedule_of(const std::string& name, bool zero_terminal_snr = false) {
    DiffusionOptions o;
    o.schedule = name;
    o.zero_terminal_snr = zero_terminal_snr;
    return make_schedule(o);
}

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

TEST(Prediction, EachFormGivesTheOthers) {
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name);
        const Example e;
        const at::Tensor x_t = q_sample(schedule, e.x_start, e.t, e.noise);
        const at::Tensor v = velocity(schedule, e.x_start, e.t, e.noise);
        EXPECT_LT(largest(x0_from_eps(schedule, x_t, e.t, e.noise) - e.x_start), 1e-10);
        EXPECT_LT(largest(x0_from_v(schedule, x_t, e.t, v) - e.x_start), 1e-13);
        EXPECT_LT(largest(eps_from_x0(schedule, x_t, e.t, e.x_start) - e.noise), 1e-11);
        EXPECT_LT(largest(eps_from_v(schedule, x_t, e.t, v) - e.noise), 1e-13);
        EXPECT_LT(largest(v_from_x0(schedule, x_t, e.t, e.x_start) - v), 1e-11);
        EXPECT_LT(largest(v_from_eps(schedule, x_t, e.t, e.noise) - v), 1e-10);
    }
}

TEST(Prediction, VIsTheDerivativeOfXAlongTheAngle) {
    // With a = cos φ, σ = sin φ, x_φ = cos φ·x_0 + sin φ·ε and v = dx_φ/dφ (arXiv 2202.00512, appendix D).
    const NoiseSchedule schedule = schedule_of("linear");
    const Example e;
    const at::Tensor phi = at::atan2(schedule.sqrt_one_minus_alphas_cumprod().gather(e.t, e.x_start),
                                     schedule.sqrt_alphas_cumprod().gather(e.t, e.x_start));
    const double h = 1e-5;
    const auto x = [&](const at::Tensor& angle) { return angle.cos() * e.x_start + angle.sin() * e.noise; };
    EXPECT_LT(largest((x(phi + h) - x(phi - h)) / (2 * h) - velocity(schedule, e.x_start, e.t, e.noise)), 1e-9);
}

TEST(Prediction, ReadsWhatTheNetworkWasTrainedToSay) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const Example e;
    const at::Tensor x_t = q_sample(schedule, e.x_start, e.t, e.noise);
    for (const std::string& name : prediction_type_names()) {
        const PredictionType type = parse_prediction_type(name);
        const at::Tensor answer = training_target(schedule, type, e.x_start, e.t, e.noise);
        const X0AndEps read = read_prediction(schedule, type, x_t, e.t, answer);
        EXPECT_LT(largest(read.pred_x0 - e.x_start), 1e-10) << name;
        EXPECT_LT(largest(read.pred_eps - e.noise), 1e-10) << name;
    }
}

TEST(Prediction, VAndX0AreFiniteAtZeroTerminalSnr) {
    const NoiseSchedule schedule = schedule_of("cosine", true);
    const at::Tensor t = at::full({1}, 999, at::kLong), x_start = at::full({1, 2}, 0.5), noise = at::full({1, 2}, -1.5);
    const at::Tensor x_t = q_sample(schedule, x_start, t, noise);
    EXPECT_TRUE(at::equal(x_t, noise));
    for (const PredictionType type : {PredictionType::sample, PredictionType::v_prediction}) {
        const at::Tensor answer = training_target(schedule, type, x_start, t, noise);
        const X0AndEps read = read_prediction(schedule, type, x_t, t, answer);
        EXPECT_TRUE(at::equal(read.pred_x0, x_start));
        EXPECT_TRUE(at::equal(read.pred_eps, noise));
    }
}

TEST(Loss, TargetsAreWhatIsPredicted) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const Example e;
    EXPECT_TRUE(at::equal(training_target(schedule, PredictionType::epsilon, e.x_start, e.t, e.noise), e.noise));
    EXPECT_TRUE(at::equal(training_target(schedule, PredictionType::sample, e.x_start, e.t, e.noise), e.x_start));
    const at::Tensor v = training_target(schedule, PredictionType::v_prediction, e.x_start, e.t, e.noise);
    const int64_t t = e.t[5].item<int64_t>();
    const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
    EXPECT_LT(largest(v[5] - (a * e.noise[5] - sigma_t * e.x_start[5])), 1e-15);
}

TEST(Loss, MeanSquaredErrorOfEachExample) {
    const at::Tensor output = at::tensor({1.0, 2.0, 3.0, 4.0}).view({2, 1, 2, 1});
    const at::Tensor target = at::tensor({0.0, 0.0, 3.0, 2.0}).view({2, 1, 2, 1});
    const at::Tensor loss = mse_per_example(output.to(at::kFloat), target.to(at::kFloat));
    EXPECT_EQ(loss.sizes().vec(), std::vector<int64_t>{2});
    EXPECT_EQ(loss[0].item<float>(), 2.5f);
    EXPECT_EQ(loss[1].item<float>(), 2.0f);
    EXPECT_EQ(mse_per_example(output.to(at::kBFloat16), target.to(at::kFloat)).scalar_type(), at::kFloat);
    EXPECT_EQ(mse_per_example(output.to(at::kDouble), target.to(at::kDouble)).scalar_type(), at::kDouble);
}

TEST(Loss, GradientReachesTheOutput) {
    at::Tensor output = at::ones({2, 3}).set_requires_grad(true);
    mse_per_example(output, at::zeros({2, 3})).mean().backward();
    EXPECT_LT(largest(output.grad() - 1.0 / 3), 1e-7);
}

// The network that knows the answer has no loss; one that is off by c everywhere has c².
TEST(Objective, JudgesTheAnswerToXt) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const Example e;
    for (const std::string& name : prediction_type_names()) {
        const PredictionType type = parse_prediction_type(name);
        const at::Tensor answer = training_target(schedule, type, e.x_start, e.t, e.noise);
        for (const double off : {0.0, 0.5}) {
            const Objective::Judged judged = Objective(schedule, type)
                                                 .judge(
                                                     [&](const at::Tensor& x_t) {
                                                         EXPECT_TRUE(at::equal(x_t, q_sample(schedule, e.x_start, e.t, e.noise)));
                                                         return answer + off;
                                                     },
                                                     e.x_start, e.t, e.noise);
            EXPECT_EQ(judged.loss.sizes(), e.t.sizes()) << name;
            EXPECT_LT(largest(judged.loss - off * off), 1e-12) << name;
            EXPECT_TRUE(at::equal(judged.mse, judged.loss)) << name;
        }
    }
}

}  // namespace
}  // namespace ddpm
