#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm::sampling {

namespace {

// ρ with Σ_i ρ_i·r_i^{j−1} = b_j for j = 1 … n (Zhao et al. 2023, eq. 9 and appendix A), where b_j = j!·c_j/B, c_1 = B/H − 1,
// c_{j+1} = c_j/H − 1/(j+1)! and B = e^H − 1. A single one is ½ for any r, as in the paper's code: the order is the same,
// and H may be −∞.
std::vector<double> weights(const std::vector<double>& r, double H) {
    const size_t n = r.size();
    if (n == 1) return {0.5};
    std::vector<double> rho;
    const double B = std::expm1(H);
    double c = B / H - 1, factorial = 1;
    for (size_t j = 1; j <= n; ++j) {
        rho.push_back(factorial * c / B);
        factorial *= static_cast<double>(j + 1);
        c = c / H - 1 / factorial;
    }
    // A Vandermonde system (Golub and Van Loan, Matrix Computations, algorithm 4.6.2).
    for (size_t k = 0; k + 1 < n; ++k)
        for (size_t j = n - 1; j > k; --j) rho[j] -= r[k] * rho[j - 1];
    for (size_t k = n - 1; k-- > 0;) {
        for (size_t j = k + 1; j < n; ++j) rho[j] /= r[j] - r[j - k - 1];
        for (size_t j = k; j + 1 < n; ++j) rho[j] -= rho[j + 1];
    }
    return rho;
}

// A prediction that has been passed, and λ = −ln k there.
struct Node {
    double lambda;
    at::Tensor x0;
};

// A step from s to t: what its first-order part leaves out, as the predictor estimates it from the past and, once the
// network has answered at t, the corrector.
class Step {
public:
    // `past`: the nearest first.
    Step(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& x0, const std::vector<Node>& past)
        : H_(std::log(to.sigma * from.alpha / (to.alpha * from.sigma))), scale_(-to.alpha * std::expm1(H_)), x0_(x0) {
        for (const Node& node : past) {
            r_.push_back((node.lambda + std::log(from.ratio())) / -H_);
            differences_.push_back((node.x0 - x0) / r_.back());
        }
        if (!r_.empty()) predicted_ = sum(weights(r_, H_));
    }

    // α_t·(1 − e^H)·(x̂_0 + Σ ρ_i·D_i): what is added to (σ_t/σ_s)·x_s.
    at::Tensor prediction() const { return scale_ * (predicted_.defined() ? x0_ + predicted_ : x0_); }

    // What is added to x_t once x̂_0 there is known.
    at::Tensor correction(const at::Tensor& x0_there) const {
        std::vector<double> r = r_;
        r.push_back(1);
        const std::vector<double> rho = weights(r, H_);
        at::Tensor corrected = rho.back() * (x0_there - x0_);
        if (!r_.empty()) corrected = corrected + sum(rho) - predicted_;
        return scale_ * corrected;
    }

private:
    at::Tensor sum(const std::vector<double>& rho) const {
        at::Tensor total = rho[0] * differences_[0];
        for (size_t i = 1; i < differences_.size(); ++i) total = total + rho[i] * differences_[i];
        return total;
    }

    double H_, scale_;
    at::Tensor x0_, predicted_;
    std::vector<double> r_;
    std::vector<at::Tensor> differences_;
};

}  // namespace

// UniPC with B₂ (Zhao et al. 2023, arXiv 2302.04867, algorithms 5 and 6), from s to t with H = λ_s − λ_t, e^H = k_t/k_s:
//   x_t = (σ_t/σ_s)·x_s + α_t·(1 − e^H)·(x̂_0(s) + Σ ρ_i·D_i),   D_i = (x̂_0(i) − x̂_0(s))/r_i,   r_i = (λ_i − λ_s)/(λ_t − λ_s).
// The predictor takes the p − 1 levels before s. The next step's prediction, which is made at x_t, also corrects x_t: t itself
// is one more node then. The correction is added to x_t, so that what a hook has made of x_t is kept.
//
// A node at infinity, out of zero terminal SNR, tells nothing of the slope and is left out. Towards the end p falls to 1, so
// the last step arrives at x̂_0.
at::Tensor sample_unipc(const SamplingRun& run) {
    at::Tensor x = run.x_T;
    std::vector<Node> past;
    std::optional<Step> before;
    for (int64_t i = 0; i < run.steps(); ++i) {
        const NoiseLevel &from = run.level(i), &to = run.level(i + 1);
        const at::Tensor x0 = run.denoiser.predict(x, from, run.y).pred_x0;
        if (before) x = x + before->correction(x0);

        const auto nodes = static_cast<size_t>(std::min(run.settings.order, run.steps() - i) - 1);
        before.emplace(from, to, x0,
                       std::vector<Node>(past.begin(), past.begin() + static_cast<long>(std::min(nodes, past.size()))));
        x = to.sigma / from.sigma * x + before->prediction();
        if (from.alpha > 0) past.insert(past.begin(), {-std::log(from.ratio()), x0});
        if (past.size() >= static_cast<size_t>(run.settings.order)) past.resize(static_cast<size_t>(run.settings.order) - 1);
        x = run.arrive(i, x, x0);
    }
    return x;
}

}  // namespace ddpm::sampling
