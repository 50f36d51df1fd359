#include "ddpm/nn/options.h"

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
    // The options that a run writes down have to mean the same when a later run reads them.
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
    // Options that are written and read back are the same.
    ModelOptions again;
    model_fields().read(again, model_fields().write(settle_model(options, 32, 32)), "model");
    EXPECT_EQ(model_fields().write(again), model_fields().write(settle_model(options, 32, 32)));
    EXPECT_EQ(resolve_unet(again, 32, 32, 3).down_block_types, config.down_block_types);
    EXPECT_EQ(resolve_unet(again, 32, 32, 3).norm_eps, config.norm_eps);
}

TEST(ModelOptions, RefusesContradictions) {
    EXPECT_SAYS(resolve_error(R"({"sample_size": 64})"), "model.sample_size: got 64");
    EXPECT_SAYS(resolve_error(R"({"out_channels": 6})"), "model.out_channels: got 6, but dataset.channels is 3");
    EXPECT_SAYS(error_of([] { resolve_unet(model(R"({"out_channels": 3})"), 32, 32, 3, true); }), "has twice as many");
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

}  // namespace
}  // namespace ddpm
