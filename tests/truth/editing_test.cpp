// Editing of Gaussian data: what a walk from a picture, replacement and RePaint make of them is a Gaussian that follows from the
// equations, because every step is affine. The program's own is read from runs on basis vectors, so nothing is drawn at random.

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/sampling/editing.h"
#include "ddpm/sampling/spacing.h"
#include "truth/closed_forms.h"

namespace ddpm {
namespace {

constexpr int64_t kD = 3;

Law data() { return {numbers({0.3, -0.2, 0.1}), numbers({0.40, 0.20, -0.08, 0.20, 0.30, 0.05, -0.08, 0.05, 0.25}).view({3, 3})}; }

at::Tensor known_pixels() { return numbers({0.9, 0, 0}); }
at::Tensor first_alone() { return numbers({1, 0, 0}); }

ResolvedSampling unclipped(const std::string& sampler, const Walk& levels) {
    ResolvedSampling settings;
    settings.sampler = sampler;
    settings.clip = false;
    settings.levels = levels;
    return settings;
}

// E[x_0|x_t] as A·x_t + b.
struct Affine {
    at::Tensor A, b;
};
Affine best_x0(const NoiseLevel& level) {
    const Law law = data();
    const at::Tensor V = level.alpha * level.alpha * law.covariance + level.sigma * level.sigma * at::eye(kD, at::kDouble);
    const at::Tensor A = at::matmul(level.alpha * law.covariance, at::linalg_inv(V));
    return {A, law.mean - at::matmul(A, level.alpha * law.mean)};
}

class Best : public Denoiser {
public:
    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor&) const override {
        const Affine best = best_x0(level);
        const at::Tensor x0 = at::matmul(x_t, best.A.t()) + best.b;
        return {x0, eps_from_x0(level, x_t, x0), std::nullopt};
    }
};

// Rows of a batch that are unit vectors for one draw and 0 for all others; row 0 is 0 for all.
class Basis {
public:
    explicit Basis(int64_t draws) : rows_(1 + draws * kD) {}
    at::Tensor draw(int64_t index) const {
        at::Tensor rows = at::zeros({rows_, kD}, at::kDouble);
        rows.slice(0, 1 + index * kD, 1 + (index + 1) * kD).copy_(at::eye(kD, at::kDouble));
        return rows;
    }
    NoiseSource from(int64_t first) const {
        return [*this, first](int64_t i) { return draw(first + i); };
    }
    static Law law_of(const at::Tensor& answers) {
        const at::Tensor linear = answers.slice(0, 1) - answers[0];
        return {answers[0], at::matmul(linear.t(), linear)};
    }

private:
    int64_t rows_;
};

Law replaced_by_sampling(int64_t S, const Repaint& repaint) {
    const Walk walk = spaced_walk(schedule_of("linear"), "trailing", S);
    const int64_t taken = steps_taken(repaint_order(S, repaint)),
                  undone = static_cast<int64_t>(repaint_order(S, repaint).size()) - taken;
    const Basis basis(1 + 2 * taken + undone);
    const StepHook hook = keep_known(known_pixels(), first_alone(), basis.from(1 + taken));
    return Basis::law_of(sample_repaint(Best(), basis.draw(0), {}, unclipped("ancestral", walk), repaint, basis.from(1),
                                        basis.from(1 + 2 * taken), {}, hook));
}

// The same from the equations of the ancestral step, of replacement and of undoing a step.
Law replaced_by_equations(int64_t S, const Repaint& repaint) {
    const Walk walk = spaced_walk(schedule_of("linear"), "trailing", S);
    const at::Tensor I = at::eye(kD, at::kDouble), M = at::diag(first_alone());
    Law law = standard_normal(kD);
    int64_t before = S;
    for (const int64_t tau : repaint_order(S, repaint)) {
        const bool back = tau > before;
        const int64_t step = back ? before : tau;
        const NoiseLevel &noisier = walk[static_cast<size_t>(S - 1 - step)], &cleaner = walk[static_cast<size_t>(S - step)];
        const double kept = std::pow(noisier.alpha / cleaner.alpha, 2);  // 1 − β
        before = tau;
        if (back) {
            law = {std::sqrt(kept) * law.mean, kept * law.covariance + (1 - kept) * I};
            continue;
        }
        const double left = cleaner.sigma * cleaner.sigma, all = noisier.sigma * noisier.sigma;
        const Affine best = best_x0(noisier);
        const double to_x0 = cleaner.alpha * (1 - kept) / all, to_x = std::sqrt(kept) * left / all;
        const at::Tensor G = to_x0 * best.A + to_x * I;
        law = {at::matmul(G, law.mean) + to_x0 * best.b,
               at::matmul(G, at::matmul(law.covariance, G.t())) + (1 - kept) * left / all * I};
        law = {at::matmul(I - M, law.mean) + cleaner.alpha * at::matmul(M, known_pixels()),
               at::matmul(I - M, at::matmul(law.covariance, I - M)) + left * M};
    }
    return law;
}

// The law of the two pixels that are not known, given the first.
Law conditional() {
    const Law law = data();
    const at::Tensor to_first = law.covariance.slice(0, 1).select(1, 0), variance = law.covariance[0][0];
    return {law.mean.slice(0, 1) + to_first / variance * (known_pixels()[0] - law.mean[0]),
            law.covariance.slice(0, 1).slice(1, 1) - to_first.unsqueeze(1) * to_first.unsqueeze(0) / variance};
}

TEST(EditedGaussian, ReplacementAndRepaintHaveTheLawOfTheEquations) {
    for (const Repaint& repaint : {Repaint{1, 10}, Repaint{3, 5}, Repaint{4, 1}}) {
        const Law sampled = replaced_by_sampling(30, repaint), equations = replaced_by_equations(30, repaint);
        EXPECT_LT(largest(sampled.mean - equations.mean), 1e-11) << repaint.resamplings;
        EXPECT_LT(largest(sampled.covariance - equations.covariance), 1e-11) << repaint.resamplings;
        EXPECT_EQ(sampled.mean[0].item<double>(), 0.9) << "the known pixel is exact";
        EXPECT_EQ(sampled.covariance[0].abs().sum().item<double>(), 0);
    }
}

// Replacement alone does not see that what it keeps belongs to what it draws: its mean strays by 0.118 in 50 steps. RePaint's
// comes near, and its covariance is too small by a little. The tolerances are the laws' own distances, computed with PyTorch.
TEST(EditedGaussian, RepaintComesNearTheConditional) {
    const Law exact = conditional();
    EXPECT_LT(largest(exact.mean - numbers({0.1, -0.02})), 1e-15);
    struct Case {
        int64_t S;
        Repaint repaint;
        double mean, covariance;
    };
    for (const auto& [S, repaint, mean, covariance] :
         {Case{50, {1, 10}, 0.1179, 0.0473}, Case{100, {10, 10}, 0.0343, 0.0386}, Case{250, {10, 10}, 0.0163, 0.0293}}) {
        const Law law = replaced_by_equations(S, repaint);
        EXPECT_NEAR(largest(law.mean.slice(0, 1) - exact.mean), mean, 1e-4) << S;
        EXPECT_NEAR(largest(law.covariance.slice(0, 1).slice(1, 1) - exact.covariance), covariance, 1e-4) << S;
    }
    const Law sampled = replaced_by_sampling(100, {10, 10});
    EXPECT_LT(largest(sampled.mean.slice(0, 1) - exact.mean), 0.0345);
    EXPECT_LT(largest(sampled.covariance.slice(0, 1).slice(1, 1) - exact.covariance), 0.0388);
}

// A walk begun at a picture: x = α·picture + σ·z, then DDIM, whose law for data along one axis is a product of gains. Without noise
// d(y − μ)/(y − μ) is the same for all, so after n steps y − μ is multiplied by Π (s² + k·k')/(s² + k²).
TEST(EditedGaussian, APictureWithNoiseHasTheExactMeanAndVariance) {
    const double mu = 0.3, s2 = 0.09, picture = 0.8;
    const Law law{numbers({mu, mu, mu}), s2 * at::eye(kD, at::kDouble)};
    const Walk whole = spaced_walk(schedule_of("linear"), "trailing", 20);
    for (const WalkStart& start : {WalkStart{.strength = 0.5}, WalkStart{.strength = 1.0}, WalkStart{.from_t = 333}}) {
        const ResolvedSampling settings = begun_at(unclipped("ddim", whole), start, schedule_of("linear"));
        const NoiseLevel& begin = settings.levels.front();
        const Basis basis(1);
        const at::Tensor x = begin.alpha * at::full({1 + kD, kD}, picture, at::kDouble) + begin.sigma * basis.draw(0);
        const Law sampled = Basis::law_of(sample_from(one_gaussian(law.mean, law.covariance).optimal_eps(schedule_of("linear")),
                                                      PredictionType::epsilon, x, settings, {}));
        double gain = 1;
        for (int64_t i = 0; i < settings.steps(); ++i) {
            const double k = settings.levels[static_cast<size_t>(i)].ratio(),
                         to = settings.levels[static_cast<size_t>(i + 1)].ratio();
            gain *= (s2 + k * to) / (s2 + k * k);
        }
        EXPECT_LT(largest(sampled.mean - (mu + gain * (picture - mu))), 1e-11);
        EXPECT_LT(largest(sampled.covariance - std::pow(gain * begin.ratio(), 2) * at::eye(kD, at::kDouble)), 1e-11);
    }
}

}  // namespace
}  // namespace ddpm
