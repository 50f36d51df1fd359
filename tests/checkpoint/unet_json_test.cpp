#include "ddpm/checkpoint/unet_json.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/errors.h"

namespace ddpm {
namespace {

using Strings = std::vector<std::string>;

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
        return join(
            compare_networks(unet_from_json(parse_json(theirs, "test"), "a"), unet_from_json(parse_json(ours, "test"), "b")));
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
