#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "ddpm/sampling/denoiser.h"
#include "ddpm/sampling/options.h"

namespace ddpm {

// Guidance: of the answers c of a network and u of a worse one to the same x_t and t it makes u + s·(c − u). u is the same
// network's without the label (classifier-free guidance, Ho and Salimans 2022, arXiv 2207.12598; their w is s − 1) or
// another network's (autoguidance, Karras et al. 2024, arXiv 2406.02507). It is the same for ε, x_0 and v.
struct Guidance {
    double scale = *sample_defaults().guidance_scale;      // s ≥ 0; 1: c alone, which costs one evaluation
    double rescale = *sample_defaults().guidance_rescale;  // φ, 0 … 1 (guided_output)
    // Noise levels low < k ≤ high, k = σ/α, have this scale, all others 1 (arXiv 2404.07724).
    double low = 0, high = std::numeric_limits<double>::infinity();

    bool on() const { return scale != 1; }
    bool at(const NoiseLevel& level) const { return on() && low < level.ratio() && level.ratio() <= high; }
};

// Returns the guided output g = u + s·(c − u), shaped and typed like c; the caller owns it. c and u are [N,C,…], and may have
// more than the first `channels` channels, which a learned variance takes: those are c's. With φ > 0, g becomes
// φ·g·std(c)/std(g) + (1 − φ)·g with the standard deviation of each picture (arXiv 2305.08891, eq. 15 and 16), and stays as it
// is where it is constant. Answers of different pictures are a runtime_failure.
at::Tensor guided_output(const at::Tensor& c, const at::Tensor& u, int64_t channels, const Guidance& guidance);

// Returns a network for [N,C,…] that asks `network` twice: with the labels y and with `empty_label`. With `one_batch` it asks
// once for 2N pictures instead; the answers are equal to rounding.
Network guided_by_label(Network network, int64_t empty_label, const Guidance& guidance, bool one_batch);

// Returns a network that asks `network` and `guide`, both with y.
Network guided_by_network(Network network, Network guide, const Guidance& guidance);

// Whether guided_by_label should ask for one batch of 2N pictures: if three times the memory of a pass of N is available. Twice
// is for the batch, once for what allocators and recordings keep of passes of N. `pass` and `available` are bytes; if the
// system does not tell what is available, it is one batch.
bool fits_one_batch(int64_t pass, std::optional<int64_t> available);

// Asks `guided` at the levels that are guided, and `alone` at all others.
class GuidedDenoiser : public Denoiser {
public:
    // Both denoisers must outlive this.
    GuidedDenoiser(const Denoiser& guided, const Denoiser& alone, const Guidance& guidance)
        : guided_(guided), alone_(alone), guidance_(guidance) {}

    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override {
        return (guidance_.at(level) ? guided_ : alone_).predict(x_t, level, y);
    }

private:
    const Denoiser &guided_, &alone_;
    Guidance guidance_;
};

}  // namespace ddpm
