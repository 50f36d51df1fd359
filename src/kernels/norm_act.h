#pragma once

#include <cstdint>

namespace ddpm::kernels {

// Group normalization of images in NHWC and what follows it, fused:
//   y = act(γ·h + β),  h = (x + shift − μ)/√(σ² + ε),  act = SiLU or none,
// where μ and σ² are those of the group in the image. γ and β are [C], or [N,C] if the time embedding scales and shifts;
// shift, [N,C] or null, is the time embedding that is added before.
struct NormShape {
    int64_t images = 0, pixels = 0, channels = 0, groups = 0;  // channels: a multiple of 16
    double eps = 0;
    bool silu = true;
};

template <class T>
struct NormInput {
    const T* x;  // [N, pixels, C]; float, or uint16_t that holds bfloat16
    const float* shift;
    const float* gamma;
    const float* beta;
    int64_t affine_stride;  // from one image's γ to the next: 0 or C
};

// Statistics are float32 from sums in double; `mean` and `rstd` are [N,G] and go to the backward pass.
template <class T>
void norm_act_forward(const NormShape& shape, const NormInput<T>& input, T* y, float* mean, float* rstd);

// Gradients of the above: dx is shaped like x; dgamma, dbeta and dshift are [N,C], one row for each image. dshift is null
// without a shift. The activation is computed again rather than kept.
template <class T>
void norm_act_backward(const NormShape& shape, const NormInput<T>& input, const T* dy, const float* mean, const float* rstd, T* dx,
                       float* dgamma, float* dbeta, float* dshift);

}  // namespace ddpm::kernels
