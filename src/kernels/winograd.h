#pragma once

#include <cstdint>

namespace ddpm::kernels {

// Convolutions of 3×3, stride 1, padding 1, over images in NHWC by Winograd's F(4×4,3×3) (Lavin and Gray,
// arXiv 1509.09308; the gradient of the weights by F(3×3,4×4)). For a tile of 4×4 and a pair of channels
// there are 36 multiplications instead of 144, done as products of 36 matrices. Arithmetic is float32; images are float or
// bfloat16 (uint16_t). The result is off by about 3e-6 of its RMS, that of the direct form by 1e-6.
struct ConvShape {
    int64_t images = 0, height = 0, width = 0;
    int64_t in = 0, out = 0;  // channels: multiples of 32

    int64_t tiles() const { return images * ((height + 3) / 4) * ((width + 3) / 4); }
};

// Whether the channels fit and the tiles are well filled. The rule looks at the shape alone, so that a run computes the same
// whenever it is repeated.
bool winograd_suits(const ConvShape& shape);

// y = conv(x) + bias + residual; bias ([out] or null) and residual (like y, or null) cost nothing extra.
// weight: [out, in, 3, 3], contiguous. With `transpose` the convolution is the one that gives the gradient of the input: the
// weights are turned by 180° and their channels exchanged, and `shape` is that of this convolution (in and out exchanged).
// The weights are transformed at every call: transformed ones would be four times as large, and reading them takes as long.
template <class T>
void winograd_convolve(const ConvShape& shape, const T* x, const float* weight, bool transpose, const float* bias,
                       const T* residual, T* y);

// dweight [out, in, 3, 3] = Σ over images and pixels of dy · x.
template <class T>
void winograd_weight_gradient(const ConvShape& shape, const T* x, const T* dy, float* dweight);

}  // namespace ddpm::kernels
