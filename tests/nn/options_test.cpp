#include "ddpm/nn/options.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/errors.h"

namespace ddpm {
namespace {

using Strings = std::vector<std::string>;

ModelOptions model(const char* text) {
    ModelOptions options;
    model_fields().read(options, parse_json(text, "test"), "model");
    return options;
}

std::string resolve_error(const char* text, int64_t height = 32, int64_t width = 32) {
    return error_of([&] { resolve_unet(model(text), height, width, 3); });
}

TEST(ModelOptions, DefaultsAreHoEtAls) {
    const UNetConfig config = resolve_unet({}, 32, 32, 3);
    EXPECT_EQ(config.block_out_channels, (std::vector<int64_t>{64, 128, 128}));
    EXPECT_EQ(config.down_block_types, (Strings{"DownBlock2D", "AttnDownBlock2D", "DownBlock2D"}));
    EXPECT_EQ(config.up_block_types, (Strings{"UpBlock2D", "AttnUpBlock2D", "UpBlock2D"}));
    EXPECT_EQ(config.downsample_padding, 0);
    EXPECT_EQ(config.flip_sin_to_cos, false);
    EXPECT_EQ(config.freq_shift, 1);
    EXPECT_EQ(config.norm_eps, 1e-6);
    EXPECT_FALSE(config.attention_head_dim);
    EXPECT_EQ(config.sample_size, (std::array<int64_t, 2>{32, 32}));
}

TEST(ModelOptions, AttentionGoesByTheLargerSide) {
    const UNetConfig config = resolve_unet(model(R"({"attention_resolutions": [24, 6]})"), 8, 24, 3);
    EXPECT_EQ(config.down_block_types, (Strings{"AttnDownBlock2D", "DownBlock2D", "AttnDownBlock2D"}));
    EXPECT_EQ(config.up_block_types, (Strings{"AttnUpBlock2D", "UpBlock2D", "AttnUpBlock2D"}));
}

TEST(ModelOptions, ADefaultResolutionMayMatchNothingAGivenOneMayNot) {
    EXPECT_EQ(resolve_unet({}, 28, 28, 1).down_block_types, Strings(3, "DownBlock2D"));
    const std::string error = resolve_error(R"({"attention_resolutions": [7, 16]})", 28, 28);
    EXPECT_SAYS(error, "model.attention_resolutions[1]: no level has the size 16, expected one of 28, 14, 7");
    // What is written down for a later run has to mean the same then.
    const ModelOptions settled = settle_model({}, 28, 28);
    EXPECT_EQ(model_fields().write(settled)["attention_resolutions"], Json::array());
    EXPECT_EQ(model_fields().write(settle_model({}, 32, 32))["attention_resolutions"], Json({16}));
}

TEST(ModelOptions, TakesAPastedUNetConfig) {
    const ModelOptions options = model(R"({"_class_name": "UNet2DModel", "_diffusers_version": "0.1", "sample_size": 32,
        "in_channels": 3, "out_channels": 3, "down_block_types": ["UNetResDownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D"], "freq_shift": 1, "time_embedding_dim": null})");
    const UNetConfig config = resolve_unet(options, 32, 32, 3);
    EXPECT_EQ(config.down_block_types[0], "DownBlock2D");
    EXPECT_EQ(config.norm_eps, 1e-6);  // missing: our default, not diffusers'
    // Reading back what is written gives the same.
    ModelOptions again;
    model_fields().read(again, model_fields().write(settle_model(options, 32, 32)), "model");
    EXPECT_EQ(unet_to_json(resolve_unet(again, 32, 32, 3)), unet_to_json(config));
}

TEST(ModelOptions, RefusesContradictions) {
    EXPECT_SAYS(resolve_error(R"({"sample_size": 64})"), "model.sample_size: got 64");
    EXPECT_SAYS(resolve_error(R"({"in_channels": 1})"), "model.in_channels: got 1, but dataset.channels is 3");
    EXPECT_SAYS(resolve_error(R"({"out_channels": 6})"), "model.out_channels: got 6");
    EXPECT_SAYS(resolve_error(R"({"down_block_types": ["DownBlock2D"]})"), "model.up_block_types: missing");
    EXPECT_SAYS(resolve_error(R"({"attention_resolutions": [16], "down_block_types": [], "up_block_types": []})"),
                "model.attention_resolutions: given together with down_block_types");
    EXPECT_SAYS(resolve_error(R"({"down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"]})"),
                "model.down_block_types: 1 entries");
    EXPECT_SAYS(resolve_error(R"({"norm_num_groups": 24})"), "model.norm_num_groups: 24 does not divide");
    EXPECT_SAYS(resolve_error(R"({"attention_head_dim": 256})"), "model.attention_head_dim: 256");
    EXPECT_SAYS(resolve_error(R"({"block_out_channels": []})"), "model.block_out_channels: 0 levels");
    EXPECT_SAYS(resolve_error(R"({"dropout": 1})"), "model.dropout");
    EXPECT_SAYS(resolve_error(R"({"time_embedding_type": "learned"})"), "model.num_train_timesteps");
    EXPECT_SAYS(resolve_error(R"({"attn_norm_num_groups": 7})"), "model.attn_norm_num_groups: 7");
    EXPECT_SAYS(resolve_error(R"({"down_block_types": ["CrossAttnDownBlock2D"]})"),
                "model.down_block_types[0]: block type \"CrossAttnDownBlock2D\" is not supported");
    EXPECT_SAYS(resolve_error(R"({"atention_resolutions": [16]})"), "did you mean \"attention_resolutions\"");
}

TEST(ModelOptions, NamesTheNearestSizes) {
    EXPECT_SAYS(resolve_error("{}", 30, 32), "3 levels need a height and width divisible by 4");
    EXPECT_SAYS(resolve_error("{}", 30, 32), "nearest: height 28 or 32");
    EXPECT_SAYS(resolve_error("{}", 3, 49), "nearest: height 4, width 48 or 52");
}

TEST(UNetConfig, MissingKeysTakeDiffusersDefaults) {
    const UNetConfig config = unet_from_json(Json::object(), "unet/config.json");
    EXPECT_EQ(config.block_out_channels, (std::vector<int64_t>{224, 448, 672, 896}));
    EXPECT_EQ(config.attention_head_dim, 8);
    EXPECT_EQ(config.flip_sin_to_cos, true);
    EXPECT_EQ(config.downsample_padding, 1);
    EXPECT_EQ(config.norm_eps, 1e-5);
    EXPECT_EQ(config.freq_shift, 0);
}

TEST(UNetConfig, RoundTripsThroughJson) {
    const Json json = parse_json(R"({"sample_size": [16, 24], "mid_block_type": null, "class_embed_type": "timestep",
        "act_fn": "mish", "norm_num_groups": 8, "block_out_channels": [32], "down_block_types": ["DownBlock2D"],
        "up_block_types": ["UNetResUpBlock2D"], "_name_or_path": "x", "novelty": 1})",
                                 "test");
    const Json written = unet_to_json(unet_from_json(json, "test"));
    EXPECT_EQ(written, unet_to_json(unet_from_json(written, "test")));
    EXPECT_EQ(written["sample_size"], Json({16, 24}));
    EXPECT_EQ(written["up_block_types"], Json({"UpBlock2D"}));
    EXPECT_EQ(written["_class_name"], "UNet2DModel");
    EXPECT_FALSE(written.contains("novelty"));
    EXPECT_TRUE(written["mid_block_type"].is_null());
    Strings keys;
    for (const auto& item : written.items()) keys.push_back(item.key());
    EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

TEST(CompareNetworks, ListsWhatChangesTheMeaningOfWeights) {
    const auto differences = [](const char* theirs, const char* ours) {
        return join(compare_networks(unet_from_json(parse_json(theirs, "test"), "a"),
                                     unet_from_json(parse_json(ours, "test"), "b")));
    };
    EXPECT_EQ(differences("{}", "{}"), "");
    EXPECT_EQ(differences(R"({"sample_size": 32, "dropout": 0.1, "act_fn": "swish", "num_train_timesteps": 1000})",
                          R"({"sample_size": 64, "time_embedding_dim": 896, "attn_norm_num_groups": 32})"),
              "");
    const char* const one_width =
        R"({"block_out_channels": [32, 64], "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
                                      "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "attention_head_dim": )";
    EXPECT_EQ(differences((one_width + std::string("64}")).c_str(), (one_width + std::string("null}")).c_str()), "");
    EXPECT_EQ(differences((one_width + std::string("32}")).c_str(), (one_width + std::string("null}")).c_str()),
              "attention_head_dim (32 there, null here)");
    EXPECT_EQ(differences(R"({"in_channels": 1, "layers_per_block": 3})", "{}"),
              "in_channels (1 there, 3 here), layers_per_block (3 there, 2 here)");
    EXPECT_EQ(differences(R"({"resnet_time_scale_shift": "scale_shift"})",
                          R"({"resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 32})"),
              "attn_norm_num_groups (null there, 32 here)");
}

TEST(UNetConfig, RefusesByName) {
    const auto refuse = [](const char* text) {
        return error_of([&] { unet_from_json(parse_json(text, "test"), "u/config.json"); });
    };
    EXPECT_SAYS(refuse(R"({"_class_name": "UNet2DConditionModel"})"), "UNet2DConditionModel");
    EXPECT_SAYS(refuse(R"({"down_block_types": ["DownBlock2D", "SkipDownBlock2D"]})"),
                "u/config.json: unet.down_block_types[1]: block type \"SkipDownBlock2D\" is not supported");
    EXPECT_SAYS(refuse(R"({"act_fn": "prelu"})"), "unet.act_fn");
    EXPECT_SAYS(refuse(R"({"resnet_time_scale_shift": "spatial"})"), "unet.resnet_time_scale_shift");
    EXPECT_SAYS(refuse(R"({"mid_block_type": "UNetMidBlock2DCrossAttn"})"), "unet.mid_block_type");
    EXPECT_SAYS(refuse(R"({"class_embed_type": "projection"})"), "unet.class_embed_type");
    EXPECT_SAYS(refuse(R"({"norm_num_groups": null})"), "unet.norm_num_groups");
}

}  // namespace
}  // namespace ddpm
