#include "eval/scattering.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

namespace ddpm::eval {

namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kKymatioPi = 3.1415;  // with which Kymatio divides its Gaussians
constexpr int64_t kPeriods = 5;        // a filter is added up over so many periods, the wanted one in the middle

// The positions −2·size … 3·size − 1.
at::Tensor positions(int64_t size) { return at::arange(-2 * size, 3 * size, at::kDouble); }

// Returns the spectrum of the Morlet wavelet on a torus of M×N pixels, [M, N] float64: the real part, as the rest is rounding.
at::Tensor morlet(int64_t M, int64_t N, double sigma, double angle, double xi, double slant) {
    const at::Tensor x = positions(M).unsqueeze(1), y = positions(N).unsqueeze(0);
    const at::Tensor along = x * std::cos(angle) + y * std::sin(angle), beside = y * std::cos(angle) - x * std::sin(angle);
    const at::Tensor envelope =
        (-(along.square() + (slant * beside).square()) / (2 * sigma * sigma)).exp() / (2 * kKymatioPi * sigma * sigma / slant);
    const at::Tensor wave = at::polar(envelope, xi * along);
    const at::Tensor wavelet = wave - envelope * (wave.sum() / envelope.sum());  // its mean is 0
    return at::real(at::fft_fft2(wavelet.view({kPeriods, M, kPeriods, N}).sum(at::IntArrayRef{0, 2})));
}

// Keeps the lowest of the frequencies along `dim`, as a spectrum has them where pixels are 2^r apart.
at::Tensor lowest(const at::Tensor& spectrum, int64_t dim, int64_t r) {
    const int64_t size = spectrum.size(dim), half = (size >> r) / 2;
    return at::cat({spectrum.narrow(dim, 0, half), spectrum.narrow(dim, size - half, half)}, dim);
}

// Returns the convolution with φ, of which every 2^(J−j)-th value is kept but for the first and the last, as a matrix for a side of
// `size` pixels that has been subsampled to every 2^j-th.
at::Tensor averaging(int64_t size, int64_t J, int64_t j) {
    const double sigma = 0.8 * std::exp2(J - 1);
    const at::Tensor gaussian = (-positions(size).square() / (2 * sigma * sigma)).exp() / (std::sqrt(2 * kKymatioPi) * sigma);
    const at::Tensor spectrum = at::real(at::fft_fft(gaussian.view({kPeriods, size}).sum(0)));
    const at::Tensor phi = at::real(at::fft_ifft(lowest(spectrum, 0, j)));
    const int64_t points = size >> j, stride = int64_t{1} << (J - j);
    const at::Tensor to = at::arange(1, points / stride - 1, at::kLong).unsqueeze(1) * stride, from = at::arange(points, at::kLong);
    return phi.index({(to - from).remainder(points)});
}

// Kymatio's size of a side with its borders.
int64_t padded(int64_t size, int64_t J) { return ((size >> J) + 2) << J; }

// Returns |u ⋆ ψ|, subsampled by k, [..., L, M/k, N/k]. spectrum: that of u, complex [..., M, N]; psi: [L, M, N, 2], divided by k².
at::Tensor modulus(const at::Tensor& spectrum, const at::Tensor& psi, int64_t k) {
    const at::Tensor u = at::view_as_real(spectrum.unsqueeze(-3));
    const int64_t rows = u.size(-3) / k, columns = u.size(-2) / k;
    const auto part = [&](const at::Tensor& of, int64_t a, int64_t b) {
        return of.narrow(-3, a * rows, rows).narrow(-2, b * columns, columns);
    };
    // A subsampled picture has the mean of k² frequencies at each of its own.
    at::Tensor folded;
    for (int64_t a = 0; a < k; ++a)
        for (int64_t b = 0; b < k; ++b)
            folded = folded.defined() ? folded.addcmul_(part(u, a, b), part(psi, a, b)) : part(u, a, b) * part(psi, a, b);
    return at::fft_ifft2(at::view_as_complex(folded)).abs();
}

}  // namespace

Scattering::Scattering(int64_t height, int64_t width, int64_t J, int64_t L, at::TensorOptions options) : J_(J), L_(L) {
    const int64_t M = padded(height, J), N = padded(width, J);
    padding_ = {(N - width) / 2, (N - width + 1) / 2, (M - height) / 2, (M - height + 1) / 2};
    for (int64_t j = 0; j < J; ++j) {
        std::vector<at::Tensor> angles;
        for (int64_t l = 0; l < L; ++l)
            angles.push_back(morlet(M, N, 0.8 * std::exp2(j), static_cast<double>(L / 2 - 1 - l) * kPi / static_cast<double>(L),
                                    0.75 * kPi * std::exp2(-j), 4 / static_cast<double>(L)));
        const at::Tensor spectra = at::stack(angles);
        std::vector<at::Tensor>& levels = psi_.emplace_back();
        // A real filter stands twice, beside the real and the imaginary part that it is multiplied with.
        for (int64_t r = 0; r <= j; ++r)
            levels.push_back(
                (lowest(lowest(spectra, 1, r), 2, r) * std::exp2(2 * (r - j))).unsqueeze(-1).repeat({1, 1, 1, 2}).to(options));
        down_.push_back(averaging(M, J, j).to(options));
        across_.push_back(averaging(N, J, j).t().contiguous().to(options));
    }
}

// φ is a product of a function of rows and one of columns, so a convolution with it is two products of matrices.
at::Tensor Scattering::averaged(const at::Tensor& u, int64_t j) const {
    const auto at_scale = static_cast<size_t>(j);
    return at::matmul(down_[at_scale], at::matmul(u, across_[at_scale]));
}

at::Tensor Scattering::operator()(const at::Tensor& x) const {
    const at::Tensor u0 = at::reflection_pad2d(x.unsqueeze(1), padding_).squeeze(1), spectrum0 = at::fft_fft2(u0);
    std::vector<at::Tensor> orders = {averaged(u0, 0).unsqueeze(1)}, second;
    for (int64_t j1 = 0; j1 < J_; ++j1) {
        const at::Tensor u1 = modulus(spectrum0, psi_[static_cast<size_t>(j1)][0], int64_t{1} << j1);
        orders.push_back(averaged(u1, j1));
        if (j1 + 1 == J_) break;
        const at::Tensor spectrum1 = at::fft_fft2(u1);
        std::vector<at::Tensor> coarser;
        for (int64_t j2 = j1 + 1; j2 < J_; ++j2) {
            const at::Tensor& psi = psi_[static_cast<size_t>(j2)][static_cast<size_t>(j1)];
            coarser.push_back(averaged(modulus(spectrum1, psi, int64_t{1} << (j2 - j1)), j2));
        }
        second.push_back(at::cat(coarser, 2).flatten(1, 2));
    }
    orders.insert(orders.end(), second.begin(), second.end());
    return at::cat(orders, 1);
}

}  // namespace ddpm::eval
