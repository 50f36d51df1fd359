#include "ddpm/diffusion/loss_weighting.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/process.h"
#include "support/errors.h"

namespace ddpm {
namespace {

constexpr PredictionType kTypes[] = {PredictionType::epsilon, PredictionType::sample, PredictionType::v_prediction};

DiffusionOptions linear() {
    DiffusionOptions options;
    options.schedule = "linear";
    return options;
}

LossOptions weighted_by(const std::string& name) {
    LossOptions options;
    options.loss_weighting = name;
    return options;
}

double weight_at(const NoiseSchedule& schedule, const LossOptions& options, PredictionType type, int64_t t) {
    return loss_weights(options, type, schedule.levels()).at(static_cast<size_t>(t));
}

// SNR(200) is 1.90991, below γ, and SNR(999) 4.036e-5, where min(SNR, γ)/SNR is 1 too.
TEST(LossWeighting, HasTheValuesOfThePapers) {
    const NoiseSchedule schedule = make_schedule(linear());
    const auto expect = [&](const char* name, int64_t t, double eps, double x0, double v) {
        const double values[] = {eps, x0, v};
        for (int i = 0; i < 3; ++i)
            EXPECT_NEAR(weight_at(schedule, weighted_by(name), kTypes[i], t) / values[i], 1, 2e-5) << name << " " << t << " " << i;
    };
    expect("simple", 200, 1, 1, 1);
    expect("min_snr", 200, 1, 1.90991, 0.656347);
    expect("soft_min_snr", 200, 0.723598, 1.38201, 0.474932);
    expect("truncated_snr", 200, 1, 1.90991, 0.656347);
    expect("truncated_snr", 999, 24777, 1, 0.99996);
    expect("p2", 200, 0.343653, 0.656347, 0.225556);
}

// The papers' formulas in long double, from ᾱ as a product of 1 − β: w of the error of x_0, w/SNR of that of ε, w/(SNR + 1) of v.
TEST(LossWeighting, IsTheFormulaAtEveryT) {
    LossOptions options;
    options.snr_gamma = 3.5;
    options.p2_k = 0.7;
    options.p2_gamma = 1.5;
    for (const char* name : {"linear", "cosine", "sigmoid"}) {
        DiffusionOptions diffusion;
        diffusion.schedule = name;
        const NoiseSchedule schedule = make_schedule(diffusion);
        long double abar = 1, lost = 0;  // lost: 1 − ᾱ, which grows by β·ᾱ
        for (int64_t t = 0; t < schedule.size(); ++t) {
            lost += static_cast<long double>(schedule.betas()[t]) * abar;
            abar *= 1 - static_cast<long double>(schedule.betas()[t]);
            const long double snr = abar / lost, gamma = options.snr_gamma;
            const std::pair<const char*, long double> of_x0[] = {
                {"min_snr", snr < gamma ? snr : gamma},
                {"soft_min_snr", snr * gamma / (snr + gamma)},
                {"truncated_snr", snr > 1 ? snr : 1},
                {"p2", snr / std::pow(static_cast<long double>(options.p2_k) + snr, static_cast<long double>(options.p2_gamma))},
            };
            for (const auto& [rule, w] : of_x0) {
                options.loss_weighting = rule;
                const long double expected[] = {w / snr, w, w / (snr + 1)};
                for (int i = 0; i < 3; ++i)
                    ASSERT_NEAR(weight_at(schedule, options, kTypes[i], t) / static_cast<double>(expected[i]), 1, 1e-11)
                        << name << " " << rule << " t = " << t << ", type " << i;
            }
        }
    }
}

// One network, whose answer is told as ε, x_0 or v: but for `simple`, its loss is the same.
TEST(LossWeighting, DoesNotDependOnWhatIsPredicted) {
    const NoiseSchedule schedule = make_schedule(linear());
    const at::Tensor t = at::arange(0, 1000, 27, at::kLong);
    const int64_t N = t.size(0);
    const at::Tensor x_start = at::linspace(-1, 1, N * 6, at::kDouble).view({N, 1, 2, 3});
    const at::Tensor noise = (at::arange(N * 6, at::kDouble) * 1.3).sin().view({N, 1, 2, 3});
    const at::Tensor v =
        velocity(schedule, x_start, t, noise) + 0.3 * (at::arange(N * 6, at::kDouble) * 0.7).cos().view({N, 1, 2, 3});
    for (const std::string& name : loss_weighting_names()) {
        const auto loss_of = [&](PredictionType type) {
            const auto model = [&](const at::Tensor& x_t) {
                return type == PredictionType::epsilon  ? eps_from_v(schedule, x_t, t, v)
                       : type == PredictionType::sample ? x0_from_v(schedule, x_t, t, v)
                                                        : v;
            };
            return Objective(schedule, type, weighted_by(name)).judge(model, x_start, t, noise).loss;
        };
        const at::Tensor of_v = loss_of(PredictionType::v_prediction);
        for (const PredictionType type : {PredictionType::epsilon, PredictionType::sample}) {
            const double off = ((loss_of(type) - of_v) / of_v).abs().max().item<double>();
            if (name == "simple") {
                EXPECT_GT(off, 0.5);
            } else {
                EXPECT_LT(off, 1e-9) << name;
            }
        }
    }
}

// The gradient of the mean loss is w_t·2(answer − target)/(N·numbers); the comparable error stays without weights, and `simple`
// changes no bit of either.
TEST(LossWeighting, ScalesTheLossAndItsGradientAlone) {
    const NoiseSchedule schedule = make_schedule(linear());
    const at::Tensor t = at::tensor({0, 1, 200, 700, 999}, at::kLong);
    const at::Tensor x_start = at::linspace(-1, 1, 5 * 12).view({5, 3, 2, 2}),
                     noise = (at::arange(5 * 12) * 1.7).sin().view({5, 3, 2, 2});
    for (const PredictionType type : kTypes)
        for (const std::string& name : loss_weighting_names()) {
            at::Tensor answer = (at::arange(5 * 12) * 0.9).cos().view({5, 3, 2, 2}).set_requires_grad(true);
            const Objective::Judged judged =
                Objective(schedule, type, weighted_by(name)).judge([&](const at::Tensor&) { return answer; }, x_start, t, noise);
            judged.loss.mean().backward();
            const at::Tensor target = training_target(schedule, type, x_start, t, noise);
            EXPECT_TRUE(at::equal(judged.mse, mse_per_example(answer, target)));
            if (name == "simple") {
                EXPECT_TRUE(at::equal(judged.loss, judged.mse));
                at::Tensor plain = answer.detach().clone().set_requires_grad(true);
                mse_per_example(plain, target).mean().backward();
                EXPECT_TRUE(at::equal(answer.grad(), plain.grad()));
            }
            for (int64_t n = 0; n < 5; ++n) {
                const double w = weight_at(schedule, weighted_by(name), type, t[n].item<int64_t>());
                EXPECT_NEAR(judged.loss[n].item<double>() / (w * judged.mse[n].item<double>()), 1, 1e-6) << name << " " << n;
                const at::Tensor expected = w * 2 * (answer[n] - target[n]).detach().to(at::kDouble) / (5.0 * 12);
                const at::Tensor off = (answer.grad()[n] - expected).abs().max() / expected.abs().max();
                EXPECT_LT(off.item<double>(), 1e-6) << name << " " << n;
            }
        }
}

std::string refusal(const LossOptions& options, const DiffusionOptions& diffusion = {}) {
    return error_of([&] { check(options, diffusion); });
}

TEST(LossWeighting, IsRefusedWhereItIsNothingAtTheBeginningOfSampling) {
    DiffusionOptions zero;
    zero.zero_terminal_snr = true;
    const std::vector<NoiseLevel> last{make_schedule(zero).levels().back()};
    for (const char* type : {"sample", "v_prediction"}) {
        zero.prediction_type = type;
        for (const std::string& name : loss_weighting_names()) {
            const double weight = loss_weights(weighted_by(name), parse_prediction_type(type), last).front();
            const bool allowed = name == "simple" || name == "truncated_snr";
            EXPECT_EQ(weight, allowed ? 1 : 0) << name;
            if (allowed) {
                EXPECT_EQ(refusal(weighted_by(name), zero), "no error");
            } else {
                EXPECT_SAYS(refusal(weighted_by(name), zero), "train.loss_weighting: " + name + " is 0 at the last t");
            }
            EXPECT_EQ(refusal(weighted_by(name)), "no error");
        }
    }
}

TEST(LossOptions, RefuseAKeyThatIsNotRead) {
    LossOptions options;
    options.snr_gamma = 3;
    EXPECT_SAYS(refusal(options),
                "train.snr_gamma: 3.0 is not read with train.loss_weighting simple; expected min_snr or "
                "soft_min_snr there, or the default 5.0");
    options.loss_weighting = "p2";
    EXPECT_SAYS(refusal(options), "train.snr_gamma: 3.0 is not read with train.loss_weighting p2");
    options.loss_weighting = "soft_min_snr";
    EXPECT_EQ(refusal(options), "no error");
    options.p2_k = 2;
    EXPECT_SAYS(refusal(options), "train.p2_k: 2.0 is not read");
    LossOptions drawn;
    drawn.lognormal_mean = 0;
    EXPECT_SAYS(refusal(drawn), "train.lognormal_mean: 0.0 is not read with train.timestep_sampling uniform; expected lognormal");
    drawn.timestep_sampling = "lognormal";
    EXPECT_EQ(refusal(drawn), "no error");
    for (const LossWeighting& rule : loss_weightings())
        for (const std::string& key : rule.keys) EXPECT_TRUE(loss_fields().write({}).contains(key)) << rule.name;
}

// ε times max(SNR, 1)/SNR under cosine: 4e8 at the last t.
TEST(LossWeighting, WarnsWhereOneTDecides) {
    const std::vector<NoiseLevel> levels = make_schedule(DiffusionOptions{}).levels();
    EXPECT_SAYS(warning_of(weighted_by("truncated_snr"), PredictionType::epsilon, levels), "t = 999");
    for (const PredictionType type : kTypes)
        for (const std::string& name : loss_weighting_names())
            if (name != "truncated_snr" || type != PredictionType::epsilon) {
                EXPECT_EQ(warning_of(weighted_by(name), type, levels), "") << name;
            }
}

}  // namespace
}  // namespace ddpm
