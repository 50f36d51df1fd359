#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace ddpm::eval {

// Vision transformers (Dosovitskiy et al., arXiv 2010.11929) as DINOv2 (arXiv 2304.07193) and CLIP (arXiv 2103.00020) have them.

// The width of a head. Shapes don't tell how many heads there are; all published DINOv2 and CLIP networks have heads of this width.
inline constexpr int64_t kVitHead = 64;

// The weight and bias of a layer, [out, in] and [out], or of a norm, [D] each. The bias may be undefined.
struct VitLayer {
    at::Tensor weight, bias;
};

enum class VitActivation {
    gelu,        // x·Φ(x)
    quick_gelu,  // x·σ(1.702·x)
    gated_silu,  // a·σ(a)·b of the two halves a, b (SwiGLU, arXiv 2002.05202)
};

struct VitBlock {
    VitLayer norm1, query, key, value, output;
    at::Tensor scale1;  // LayerScale, [D]; undefined where the network has none
    VitLayer norm2, in, out;
    at::Tensor scale2;
};

// All tensors are float32 and on one device. D is the width, p the side of a patch.
struct Vit {
    VitLayer patch;          // weight [D, 3, p, p]
    at::Tensor cls;          // [1, 1, D], the token whose answer is the feature
    at::Tensor registers;    // [1, R, D]; undefined where there are none
    at::Tensor positions;    // [1, 1 + s·s, D], of cls and of s×s patches
    bool antialias = false;  // how positions come to another number of patches: bicubic, antialiased or not
    VitLayer norm_before;    // after the embeddings; undefined in DINOv2
    std::vector<VitBlock> blocks;
    VitLayer norm_after;    // of cls
    at::Tensor projection;  // [E, D]; undefined in DINOv2
    VitActivation activation = VitActivation::gelu;
    double eps = 1e-6;  // of all norms

    int64_t width() const { return cls.size(2); }
    int64_t patch_side() const { return patch.weight.size(2); }
    int64_t patches_a_side() const;  // s
    int64_t dimension() const { return projection.defined() ? projection.size(0) : width(); }
    // "24 blocks of width 1024, 16 heads, patches of 14x14"
    std::string words() const;

    // Takes normalised pictures [n, 3, H, W] float32 on that device, H and W ≥ p; rows and columns beyond whole patches don't count.
    // Returns [n, dimension()].
    at::Tensor operator()(const at::Tensor& pictures) const;
};

// A network that was read from a file, and how many tensors of the file belong to other parts of its model and were left out.
struct ReadVit {
    Vit vit;
    int64_t left_out = 0;
};

// Reads model.safetensors as transformers writes it of Dinov2Model or Dinov2WithRegistersModel (facebook/dinov2-large), with or without
// "dinov2." before the names; a classifier is left out. Throws a user error about anything else, and names the tensor.
ReadVit read_dinov2(const std::filesystem::path& file, c10::Device device);

// Reads the same of CLIPVisionModelWithProjection, or of CLIPModel (openai/clip-vit-large-patch14-336), whose text part is left out.
ReadVit read_clip(const std::filesystem::path& file, c10::Device device);

}  // namespace ddpm::eval
