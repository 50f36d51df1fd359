#include "ddpm/diffusion/loss_weighting.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/named_rows.h"

namespace ddpm {

namespace {

// What the formulas are made of, with SNR = ᾱ/(1−ᾱ).
struct Parts {
    double signal, noise, snr;  // ᾱ, 1−ᾱ, SNR
};

using WeightOfV = double (*)(const LossOptions&, const Parts&);

// A paper gives the weight w of the squared error of x_0. At one x_t, ‖x̂_0−x_0‖² = (1−ᾱ)·‖v̂−v‖² and ‖ε̂−ε‖² = ᾱ·‖v̂−v‖², so
// v has the weight w·(1−ᾱ) = w/(SNR+1), and x_0 and ε have that over 1−ᾱ and over ᾱ: w and w/SNR. The rules below give the
// weight of v, which is finite everywhere; that of x_0 is so too, because 1−ᾱ is never 0.
template <WeightOfV weight_of_v>
double weight(const LossOptions& options, PredictionType type, const NoiseLevel& level) {
    const Parts parts{level.alpha * level.alpha, level.sigma * level.sigma,
                      level.alpha * level.alpha / (level.sigma * level.sigma)};
    const double v = weight_of_v(options, parts);
    switch (type) {
        case PredictionType::epsilon:
            return v / parts.signal;
        case PredictionType::sample:
            return v / parts.noise;
        case PredictionType::v_prediction:
            return v;
    }
    runtime_failure("prediction type: not one of the enumeration");
}

// w = min(SNR, γ)
double min_snr(const LossOptions& o, const Parts& p) { return std::min(p.signal, o.snr_gamma * p.noise); }

// w = SNR·γ/(SNR + γ)
double soft_min_snr(const LossOptions& o, const Parts& p) { return p.signal * o.snr_gamma / (p.snr + o.snr_gamma); }

// w = max(SNR, 1)
double truncated_snr(const LossOptions&, const Parts& p) { return std::max(p.signal, p.noise); }

// w = SNR/(k + SNR)^γ
double p2(const LossOptions& o, const Parts& p) { return p.signal / std::pow(o.p2_k + p.snr, o.p2_gamma); }

}  // namespace

const std::vector<LossWeighting>& loss_weightings() {
    static const std::vector<LossWeighting> table = {
        // 1, whatever is predicted: L_simple of arXiv 2006.11239, eq. 14.
        {"simple", "1 at every t (Ho et al. 2020)", {}, [](const LossOptions&, PredictionType, const NoiseLevel&) { return 1.0; }},
        // arXiv 2303.09556, section 3.
        {"min_snr",
         "min(SNR, snr_gamma) for the error of x_0, and for that of noise or v what makes it the same loss (Hang et al. 2023)",
         {"snr_gamma"},
         weight<min_snr>},
        // arXiv 2401.11605: the same without a kink.
        {"soft_min_snr", "SNR*snr_gamma/(SNR + snr_gamma) likewise (Crowson et al. 2024)", {"snr_gamma"}, weight<soft_min_snr>},
        // arXiv 2202.00512, section 4.
        {"truncated_snr", "max(SNR, 1) likewise (Salimans & Ho 2022)", {}, weight<truncated_snr>},
        // arXiv 2204.00227, section 3.
        {"p2", "SNR/(p2_k + SNR)^p2_gamma likewise (Choi et al. 2022)", {"p2_k", "p2_gamma"}, weight<p2>},
    };
    return table;
}

std::vector<std::string> loss_weighting_names() { return names_of(loss_weightings()); }

const LossWeighting& loss_weighting(const std::string& name) { return row_named(loss_weightings(), "loss weighting", name); }

std::vector<double> loss_weights(const LossOptions& options, PredictionType type, const std::vector<NoiseLevel>& levels) {
    const LossWeighting& rule = loss_weighting(options.loss_weighting);
    std::vector<double> weights;
    for (const NoiseLevel& level : levels) weights.push_back(rule.weight(options, type, level));
    return weights;
}

std::string warning_of(const LossOptions& options, PredictionType type, const std::vector<NoiseLevel>& levels) {
    constexpr double kOutweighs = 1e6;  // times the median; no published choice comes near it
    std::vector<double> weights = loss_weights(options, type, levels);
    const auto largest = std::max_element(weights.begin(), weights.end());
    const auto t = largest - weights.begin();
    const double most = *largest;
    std::nth_element(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(weights.size() / 2), weights.end());
    const double median = weights[weights.size() / 2];
    if (!(most > kOutweighs * median)) return "";
    return fmt::format("weighs t = {} {:.1e} times as much as the median t, so that it alone decides a step", t, most / median);
}

}  // namespace ddpm
