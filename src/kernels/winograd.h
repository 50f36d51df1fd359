#pragma once

#include <cstdint>

namespace ddpm::kernels {

// Convolutions of 3×3, stride 1, padding 1, over images in NHWC by Winograd's F(4×4,3×3) (Lavin and Gray,
// arXiv 1509.09308; the gradient of the weights by F(3×3,4×4)): products of 36 matrices in place of 144 multiplications a
// tile of 4×4, so a quarter of the arithmetic of the direct form. Arithmetic is float32; images are float or bfloat16
// (uint16_t). The result is off by about 3e-6 of its RMS, the direct form by 1e-6.
struct ConvShape {
    int64_t images = 0, height = 0, width = 0;
    int64_t in = 0, out = 0;  // channels: multiples of 32

    int64_t tiles() const { return images * ((height + 3) / 4) * ((width + 3) / 4); }
};

// Whether the channels fit and the tiles are well filled: a rule by shape alone, so that a run computes the same
// whenever it is repeated.
bool winograd_suits(const ConvShape& shape);

// y = conv(x) + bias + residual; bias ([out] or null) and residual (like y, or null) cost nothing extra.
// weight: [out, in, 3, 3], contiguous. For the gradient of the input the convolution is the one with weights turned by
// 180° and channels exchanged: transpose says so, and `shape` is then that convolution's (in and out exchanged).
// The weights are transformed at every call: kept so, they would be four times as large, and reading them takes as long.
template <class T>
void winograd_convolve(const ConvShape& shape, const T* x, const float* weight, bool transpose, const float* bias,
                       const T* residual, T* y);

// dweight [out, in, 3, 3] = Σ over images and pixels of dy · x.
template <class T>
void winograd_weight_gradient(const ConvShape& shape, const T* x, const T* dy, float* dweight);

}  // namespace ddpm::kernels
