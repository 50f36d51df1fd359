#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "eval/vit.h"
#include "eval/vit_weights.h"

namespace ddpm::eval {

namespace {

// Takes the tensors of layers whose input and output widths are known, or −1.
class VitReader {
public:
    VitReader(const std::filesystem::path& file, std::string expected, c10::Device device)
        : weights(file, std::move(expected)), device_(device) {}

    at::Tensor tensor(const std::string& name, const std::vector<int64_t>& shape) { return weights.take(name, shape, device_); }
    VitLayer linear(const std::string& name, int64_t in, int64_t out) {
        const at::Tensor weight = tensor(name + ".weight", {out, in});
        return {weight, tensor(name + ".bias", {weight.size(0)})};
    }
    VitLayer norm(const std::string& name, int64_t width) {
        return {tensor(name + ".weight", {width}), tensor(name + ".bias", {width})};
    }

    VitWeights weights;

private:
    c10::Device device_;
};

void check_sizes(const Vit& vit, int64_t patch_columns, const VitWeights& weights) {
    if (vit.width() % kVitHead != 0)
        weights.refuse(fmt::format("has a width of {}, no multiple of {}; the heads of these networks are {} wide", vit.width(),
                                   kVitHead, kVitHead));
    if (vit.patch_side() != patch_columns)
        weights.refuse(fmt::format("has patches of {}x{} pixels, which are not square", vit.patch_side(), patch_columns));
    const int64_t side = vit.patches_a_side();
    if (side < 1 || side * side + 1 != vit.positions.size(1))
        weights.refuse(fmt::format("has {} positions, which are not those of a square picture and 1", vit.positions.size(1)));
}

}  // namespace

ReadVit read_dinov2(const std::filesystem::path& file, c10::Device device) {
    VitReader from(file, "weights of DINOv2 as transformers writes them (model.safetensors of facebook/dinov2-large)", device);
    from.weights.strip("dinov2.");
    ReadVit read;
    read.left_out = from.weights.leave_out({"classifier."});
    from.weights.leave_out({"embeddings.mask_token"});  // for training alone
    Vit& vit = read.vit;
    vit.cls = from.tensor("embeddings.cls_token", {1, 1, -1});
    const int64_t D = vit.width();
    vit.patch.weight = from.tensor("embeddings.patch_embeddings.projection.weight", {D, 3, -1, -1});
    vit.patch.bias = from.tensor("embeddings.patch_embeddings.projection.bias", {D});
    vit.positions = from.tensor("embeddings.position_embeddings", {1, -1, D});
    check_sizes(vit, vit.patch.weight.size(3), from.weights);
    if (from.weights.has("embeddings.register_tokens")) {
        vit.registers = from.tensor("embeddings.register_tokens", {1, -1, D});
        vit.antialias = true;  // as Dinov2WithRegistersModel does it, but not Dinov2Model
    }
    const int64_t count = from.weights.blocks("encoder.layer.");
    const bool gated = from.weights.has("encoder.layer.0.mlp.weights_in.weight");
    if (gated) vit.activation = VitActivation::gated_silu;
    for (int64_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("encoder.layer.{}.", i), attention = name + "attention.attention.";
        VitBlock& block = vit.blocks.emplace_back();
        block.norm1 = from.norm(name + "norm1", D);
        block.query = from.linear(attention + "query", D, D);
        block.key = from.linear(attention + "key", D, D);
        block.value = from.linear(attention + "value", D, D);
        block.output = from.linear(name + "attention.output.dense", D, D);
        block.scale1 = from.tensor(name + "layer_scale1.lambda1", {D});
        block.norm2 = from.norm(name + "norm2", D);
        block.in = from.linear(name + (gated ? "mlp.weights_in" : "mlp.fc1"), D, -1);
        const int64_t inner = block.in.weight.size(0);
        if (gated && inner % 2 != 0)
            from.weights.refuse(fmt::format("has {}mlp.weights_in of {} rows, no even number", name, inner));
        block.out = from.linear(name + (gated ? "mlp.weights_out" : "mlp.fc2"), gated ? inner / 2 : inner, D);
        block.scale2 = from.tensor(name + "layer_scale2.lambda1", {D});
    }
    vit.norm_after = from.norm("layernorm", D);
    if (count == 0) from.weights.refuse("has no block encoder.layer.0");
    from.weights.expect_all_taken();
    return read;
}

ReadVit read_clip(const std::filesystem::path& file, c10::Device device) {
    VitReader from(file, "weights of CLIP as transformers writes them (model.safetensors of openai/clip-vit-large-patch14-336)",
                   device);
    ReadVit read;
    read.left_out = from.weights.leave_out({"text_model.", "text_projection.", "logit_scale"});
    from.weights.leave_out({"vision_model.embeddings.position_ids"});  // 0, 1, 2, … in older files
    const std::string outer = "vision_model.";
    Vit& vit = read.vit;
    vit.activation = VitActivation::quick_gelu;
    vit.eps = 1e-5;
    vit.cls = from.tensor(outer + "embeddings.class_embedding", {-1}).view({1, 1, -1});
    const int64_t D = vit.width();
    vit.patch.weight = from.tensor(outer + "embeddings.patch_embedding.weight", {D, 3, -1, -1});
    vit.positions = from.tensor(outer + "embeddings.position_embedding.weight", {-1, D}).unsqueeze(0);
    check_sizes(vit, vit.patch.weight.size(3), from.weights);
    vit.norm_before = from.norm(outer + "pre_layrnorm", D);
    const int64_t count = from.weights.blocks(outer + "encoder.layers.");
    for (int64_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("{}encoder.layers.{}.", outer, i), attention = name + "self_attn.";
        VitBlock& block = vit.blocks.emplace_back();
        block.norm1 = from.norm(name + "layer_norm1", D);
        block.query = from.linear(attention + "q_proj", D, D);
        block.key = from.linear(attention + "k_proj", D, D);
        block.value = from.linear(attention + "v_proj", D, D);
        block.output = from.linear(attention + "out_proj", D, D);
        block.norm2 = from.norm(name + "layer_norm2", D);
        block.in = from.linear(name + "mlp.fc1", D, -1);
        block.out = from.linear(name + "mlp.fc2", block.in.weight.size(0), D);
    }
    vit.norm_after = from.norm(outer + "post_layernorm", D);
    vit.projection = from.tensor("visual_projection.weight", {-1, D});
    if (count == 0) from.weights.refuse("has no block vision_model.encoder.layers.0");
    from.weights.expect_all_taken();
    return read;
}

}  // namespace ddpm::eval
