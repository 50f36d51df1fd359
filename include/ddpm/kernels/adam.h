#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ddpm {

// The most moving averages that one pass over the parameters updates.
inline constexpr size_t kMostAverages = 5;

// One step of Adam (arXiv 1412.6980, Algorithm 1) or AdamW (arXiv 1711.05101, Algorithm 2) and of each moving average e of
// the parameters θ, with g the gradient times gradient_scale (clipping):
//   Adam: g ← g + λθ;  AdamW: θ ← θ − αλθ
//   m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − α·m/(1−β₁ᵏ) / (√(v/(1−β₂ᵏ)) + ε)
//   e ← d·e + (1−d)·θ
struct AdamUpdate {
    double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;  // α, β₁, β₂, ε, λ
    bool decoupled = true;                                                                   // AdamW
    int64_t step = 1;                                                                        // k, 1 for the first
    double gradient_scale = 1;
    double ema_decay = 0;               // d of AdamTensors::averages
    std::vector<double> more_decays{};  // d of each of AdamTensors::more_averages
};

}  // namespace ddpm
