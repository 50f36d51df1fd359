#include "eval/vit.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/eval/features.h"
#include "eval/rgb_pictures.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;
using eval::Vit;

// Shapes of a network of two blocks, width 128, for pictures of 3×3 patches of 14 pixels.
Shapes dinov2_shapes() {
    Shapes shapes{{"embeddings.cls_token", {1, 1, 128}},
                  {"embeddings.mask_token", {1, 128}},
                  {"embeddings.patch_embeddings.projection.weight", {128, 3, 14, 14}},
                  {"embeddings.patch_embeddings.projection.bias", {128}},
                  {"embeddings.position_embeddings", {1, 10, 128}},
                  {"layernorm.weight", {128}},
                  {"layernorm.bias", {128}}};
    for (const std::string block : {"encoder.layer.0.", "encoder.layer.1."}) {
        for (const char* name : {"norm1", "norm2"})
            for (const char* part : {".weight", ".bias"}) shapes[block + name + part] = {128};
        for (const char* name :
             {"attention.attention.query", "attention.attention.key", "attention.attention.value", "attention.output.dense"}) {
            shapes[block + name + ".weight"] = {128, 128};
            shapes[block + name + ".bias"] = {128};
        }
        for (const char* name : {"layer_scale1.lambda1", "layer_scale2.lambda1"}) shapes[block + name] = {128};
        shapes[block + "mlp.fc1.weight"] = {256, 128};
        shapes[block + "mlp.fc1.bias"] = {256};
        shapes[block + "mlp.fc2.weight"] = {128, 256};
        shapes[block + "mlp.fc2.bias"] = {128};
    }
    return shapes;
}

// The same of CLIP, with 2×2 patches and a projection to 32 numbers.
Shapes clip_shapes() {
    const std::string outer = "vision_model.";
    Shapes shapes{{outer + "embeddings.class_embedding", {128}},
                  {outer + "embeddings.patch_embedding.weight", {128, 3, 14, 14}},
                  {outer + "embeddings.position_embedding.weight", {5, 128}},
                  {"visual_projection.weight", {32, 128}}};
    for (const char* name : {"pre_layrnorm", "post_layernorm"})
        for (const char* part : {".weight", ".bias"}) shapes[outer + name + part] = {128};
    for (const std::string& block : {outer + "encoder.layers.0.", outer + "encoder.layers.1."}) {
        for (const char* name : {"layer_norm1", "layer_norm2"})
            for (const char* part : {".weight", ".bias"}) shapes[block + name + part] = {128};
        for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"}) {
            shapes[block + name + ".weight"] = {128, 128};
            shapes[block + name + ".bias"] = {128};
        }
        shapes[block + "mlp.fc1.weight"] = {256, 128};
        shapes[block + "mlp.fc1.bias"] = {256};
        shapes[block + "mlp.fc2.weight"] = {128, 256};
        shapes[block + "mlp.fc2.bias"] = {128};
    }
    return shapes;
}

// Tensor number j of the sorted names is 0.2·sin(j + (0.11 + 0.07·(j mod 7))·i²) at place i; weights of norms are 1 more.
std::map<std::string, at::Tensor> tensors_of(const Shapes& shapes) {
    std::map<std::string, at::Tensor> tensors;
    int64_t j = 0;
    for (const auto& [name, shape] : shapes) {
        int64_t count = 1;
        for (const int64_t size : shape) count *= size;
        const at::Tensor i = at::arange(count, at::kDouble);
        at::Tensor x = 0.2 * (static_cast<double>(j) + (0.11 + 0.07 * static_cast<double>(j % 7)) * i * i).sin();
        if (name.find("norm") != name.npos && name.ends_with(".weight")) x = x + 1;
        tensors[name] = x.to(at::kFloat).view(shape);
        ++j;
    }
    return tensors;
}

std::filesystem::path written(const TempFolder& folder, const std::map<std::string, at::Tensor>& tensors) {
    const std::filesystem::path file = folder / "model.safetensors";
    write_safetensors(file, NamedTensors(tensors.begin(), tensors.end()));
    return file;
}

// Byte (7·i + 11·c·y + (3 + i)·y + (2 + i)·x·(1 + c) + x·y) mod 256 of picture i.
at::Tensor pictures_of(int64_t count, const PictureFormat& format) {
    const auto along = [](int64_t size, int64_t dim) {
        std::vector<int64_t> shape(4, 1);
        shape[static_cast<size_t>(dim)] = size;
        return at::arange(size, at::kLong).view(shape);
    };
    const at::Tensor i = along(count, 0), c = along(format.channels, 1), y = along(format.height, 2), x = along(format.width, 3);
    return (7 * i + 11 * c * y + (3 + i) * y + (2 + i) * x * (1 + c) + x * y).remainder(256).to(at::kByte);
}

// Expects the first four numbers of the first of two pictures, and the squared distance of both features.
void expect_features(const std::string& name, const PictureFormat& format, const std::vector<double>& first, double distance) {
    SCOPED_TRACE(name);
    const at::Tensor x = make_features(name, format)->raw(pictures_of(2, format)).to(at::kDouble);
    for (size_t k = 0; k < first.size(); ++k) EXPECT_NEAR(x[0][static_cast<int64_t>(k)].item<double>(), first[k], 5e-5);
    EXPECT_NEAR((x[0] - x[1]).square().sum().item<double>(), distance, 2e-4 * distance);
}

// The numbers of transformers 5.24.0 (Dinov2Model, CLIPVisionModelWithProjection) with these weights and of Pillow's resizing, rows first as
// Pillow did it before 13.0. DINOv2's
// positions, for 3×3 patches, are interpolated to 16×16.
TEST(Vit, FeaturesAreThoseOfTransformers) {
    const TempFolder folder;
    const std::string dinov2 = "dinov2:" + written(folder, tensors_of(dinov2_shapes())).string();
    expect_features(dinov2, {3, 20, 30}, {-1.38898, -0.064205, -0.903011, 0.086235}, 4.2829095);
    expect_features(dinov2, {1, 33, 21}, {-1.275789, -0.548027, -0.498836, 0.06829}, 0.9149605);
    expect_features(dinov2, {4, 40, 24}, {-0.814538, -0.27286, -0.289571, 1.631559}, 4.5898132);
    const std::string clip = "clip:" + written(folder, tensors_of(clip_shapes())).string();
    expect_features(clip, {3, 20, 30}, {-0.077344, -0.083418, 0.05169, -0.060516}, 0.6457132);
    expect_features(clip, {1, 33, 21}, {0.118155, 0.154709, 0.04313, -0.057605}, 0.6724734);
    expect_features(clip, {4, 40, 24}, {0.182044, -0.148453, 0.145666, -0.116552}, 0.2609993);
}

// With LayerScale 0 the blocks add nothing: the feature is the norm of the class token and its position, whatever the picture is.
TEST(Vit, WithoutBlocksTheClassTokenIsLeft) {
    const TempFolder folder;
    auto tensors = tensors_of(dinov2_shapes());
    for (auto& [name, tensor] : tensors)
        if (name.find("lambda1") != name.npos) tensor = at::zeros_like(tensor);
    const auto features = make_features("dinov2:" + written(folder, tensors).string(), {3, 20, 30});
    const at::Tensor token =
        (tensors["embeddings.cls_token"].view({128}) + tensors["embeddings.position_embeddings"][0][0]).to(at::kDouble);
    const at::Tensor off = token - token.mean();
    const at::Tensor expected = off / (off.square().mean() + 1e-6).sqrt() * tensors["layernorm.weight"] + tensors["layernorm.bias"];
    const at::Tensor x = features->raw(pictures_of(3, {3, 20, 30}));
    ASSERT_EQ(x.sizes(), (std::vector<int64_t>{3, 128}));
    for (int64_t i = 0; i < 3; ++i) EXPECT_LT((x[i] - expected).abs().max().item<double>(), 1e-5);
}

// Positions and patches that are moved about in the same way are the same picture to attention.
TEST(Vit, PatchesKnowTheirPlaceByPositionsAlone) {
    const TempFolder folder;
    auto tensors = tensors_of(dinov2_shapes());
    const Vit vit = eval::read_dinov2(written(folder, tensors), c10::kCPU).vit;
    Vit moved = vit;
    const at::Tensor grid = vit.positions.slice(1, 1).unflatten(1, {3, 3});
    moved.positions = at::cat({vit.positions.slice(1, 0, 1), grid.roll({1}, {2}).flatten(1, 2)}, 1);
    const at::Tensor x = pictures_of(2, {3, 42, 42}).to(at::kFloat) / 128 - 1;
    EXPECT_LT((moved(x.roll({14}, {3})) - vit(x)).abs().max().item<double>(), 1e-5);
    EXPECT_GT((vit(x.roll({14}, {3})) - vit(x)).abs().max().item<double>(), 1e-3);
    EXPECT_LT((vit(at::constant_pad_nd(x, {0, 13, 0, 13})) - vit(x)).abs().max().item<double>(), 1e-6) << "no whole patch more";
}

TEST(Vit, ClipFeaturesHaveLengthOne) {
    const TempFolder folder;
    auto tensors = tensors_of(clip_shapes());
    tensors["text_model.final_layer_norm.weight"] = at::ones({7});
    tensors["logit_scale"] = at::scalar_tensor(4.6F);
    tensors["vision_model.embeddings.position_ids"] = at::arange(5, at::kLong).view({1, 5});
    const auto file = written(folder, tensors);
    EXPECT_EQ(eval::read_clip(file, c10::kCPU).left_out, 2) << "of the text part";
    const PictureFormat format{1, 33, 21};
    const auto features = make_features("clip:" + file.string(), format);
    EXPECT_EQ(features->protocol().dimension, 32);
    EXPECT_SAYS(features->protocol().resize, "28x28, bicubic, antialiased, grey repeated");
    EXPECT_EQ(features->protocol().sha256.size(), 64u);
    const at::Tensor grey = pictures_of(9, format), x = features->raw(grey);
    EXPECT_LT((x.square().sum(1) - 1).abs().max().item<double>(), 1e-5);
    EXPECT_GT((x[0] - x[1]).abs().max().item<double>(), 1e-4);
    const auto colour = make_features("clip:" + file.string(), {3, 33, 21});
    EXPECT_TRUE(at::allclose(colour->raw(grey.expand({-1, 3, -1, -1})), x, 1e-5, 1e-6));
    EXPECT_EQ(features->raw(grey.slice(0, 0, 0)).sizes(), (std::vector<int64_t>{0, 32})) << "no picture";
}

TEST(Vit, NamesMayBeginWithTheModelAndNumbersMayBeHalf) {
    const TempFolder folder;
    const auto plain = tensors_of(dinov2_shapes());
    std::map<std::string, at::Tensor> prefixed, half;
    for (const auto& [name, tensor] : plain) {
        prefixed["dinov2." + name] = tensor;
        half[name] = tensor.to(at::kBFloat16);
    }
    prefixed["classifier.weight"] = at::ones({3, 256});
    const at::Tensor x = pictures_of(1, {3, 42, 42}).to(at::kFloat) / 255;
    const at::Tensor expected = eval::read_dinov2(written(folder, plain), c10::kCPU).vit(x);
    const eval::ReadVit read = eval::read_dinov2(written(folder, prefixed), c10::kCPU);
    EXPECT_EQ(read.left_out, 1);
    EXPECT_TRUE(at::equal(read.vit(x), expected));
    EXPECT_LT((eval::read_dinov2(written(folder, half), c10::kCPU).vit(x) - expected).abs().max().item<double>(), 0.2);
}

TEST(Vit, AlphaIsPutOverWhite) {
    const at::Tensor clear = at::tensor({10, 20, 30, 0}, at::kByte).view({1, 4, 1, 1}),
                     solid = at::tensor({10, 20, 30, 255}, at::kByte).view({1, 4, 1, 1});
    EXPECT_TRUE(at::equal(eval::to_rgb(clear), at::full({1, 3, 1, 1}, 255, at::kByte)));
    EXPECT_TRUE(at::equal(eval::to_rgb(solid), solid.slice(1, 0, 3)));
}

TEST(Vit, SaysWhatIsWrongWithAFile) {
    const TempFolder folder;
    const auto dinov2 = [&](auto change) {
        auto tensors = tensors_of(dinov2_shapes());
        change(tensors);
        const auto file = written(folder, tensors);
        return error_of([&] { eval::read_dinov2(file, c10::kCPU); });
    };
    using Tensors = std::map<std::string, at::Tensor>;
    std::string text = dinov2([](Tensors& t) { t.erase("layernorm.bias"); });
    EXPECT_SAYS(text, "model.safetensors: has no tensor \"layernorm.bias\"");
    text = dinov2([](Tensors& t) { t["encoder.layer.1.extra"] = at::ones({1}); });
    EXPECT_SAYS(text, "\"encoder.layer.1.extra\" that such a network does not have");
    text = dinov2([](Tensors& t) { t["encoder.layer.1.norm1.weight"] = at::ones({127}); });
    EXPECT_SAYS(text, "\"encoder.layer.1.norm1.weight\" has shape [127], expected [128]");
    text = dinov2([](Tensors& t) { t["layernorm.weight"][3] = std::nan(""); });
    EXPECT_SAYS(text, "\"layernorm.weight\" holds a number that is not finite");
    text = dinov2([](Tensors& t) { t["layernorm.weight"] = at::ones({128}, at::kInt); });
    EXPECT_SAYS(text, "dtype I32");
    text = dinov2([](Tensors& t) { t["embeddings.position_embeddings"] = at::ones({1, 9, 128}); });
    EXPECT_SAYS(text, "9 positions");
    text = dinov2([](Tensors& t) { t["embeddings.patch_embeddings.projection.weight"] = at::ones({128, 3, 14, 7}); });
    EXPECT_SAYS(text, "14x7");
    text = dinov2([](Tensors& t) {
        t["embeddings.cls_token"] = at::ones({1, 1, 96});
        t["embeddings.patch_embeddings.projection.weight"] = at::ones({96, 3, 14, 14});
        t["embeddings.patch_embeddings.projection.bias"] = at::ones({96});
        t["embeddings.position_embeddings"] = at::ones({1, 10, 96});
    });
    EXPECT_SAYS(text, "width of 96, no multiple of 64");
    text = error_of([&] { eval::read_clip(written(folder, tensors_of(dinov2_shapes())), c10::kCPU); });
    EXPECT_SAYS(text, "has no tensor \"vision_model.embeddings.class_embedding\"; expected weights of CLIP");
    text = error_of([] { make_features("dinov2:x", {2, 16, 16}); });
    EXPECT_SAYS(text, "1, 3 or 4 channels");
}

}  // namespace
}  // namespace ddpm
