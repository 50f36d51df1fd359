#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm::eval {

// The scattering transform of pictures (Mallat 2012, arXiv 1101.2286; Bruna and Mallat 2013, arXiv 1203.1513) with the filters, the
// borders and the subsampling of Kymatio 0.3 (Andreux et al. 2020, arXiv 1812.11214), whose numbers it gives but for rounding:
//     S0 = x ⋆ φ,    S1 = |x ⋆ ψ_1| ⋆ φ,    S2 = ||x ⋆ ψ_1| ⋆ ψ_2| ⋆ φ,    ψ_2 of a coarser scale than ψ_1.
// ψ of scale j < J and angle l < L is a Morlet wavelet: σ = 0.8·2^j, ξ = (3π/4)·2^−j, slant 4/L. φ is a Gaussian, σ = 0.8·2^(J−1).
// Pictures are continued by reflection, and the result has one value for each 2^J pixels of either side.
class Scattering {
public:
    // dtype: float32 or float64, in which it computes. Both sides must be ≥ 2^(J+1), J and L ≥ 1.
    Scattering(int64_t height, int64_t width, int64_t J, int64_t L, at::TensorOptions options);

    int64_t paths() const { return 1 + J_ * L_ + L_ * L_ * J_ * (J_ - 1) / 2; }
    int64_t rows() const { return down_.front().size(0); }
    int64_t columns() const { return across_.front().size(1); }

    // Takes [n, height, width] of the options above and returns [n, paths(), rows(), columns()] in Kymatio's order: S0; S1 by scale,
    // then angle; S2 by scale and angle of ψ_1, then those of ψ_2.
    at::Tensor operator()(const at::Tensor& x) const;

private:
    at::Tensor averaged(const at::Tensor& u, int64_t j) const;

    int64_t J_, L_;
    std::vector<int64_t> padding_;              // left, right, top, bottom
    std::vector<std::vector<at::Tensor>> psi_;  // [j][r]: [L, M/2^r, N/2^r, 2] of scale j where pixels are 2^r apart
    std::vector<at::Tensor> down_, across_;     // [j]: φ and its subsampling as matrices, where pixels are 2^j apart
};

}  // namespace ddpm::eval
