#include "ddpm/checkpoint/convert.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "nn/networks.h"
#include "support/errors.h"
#include "support/temp_folder.h"

// These tests are of the rules. tests/parity/convert_parity.py compares forward passes of converted networks with the
// originals.

namespace ddpm {
namespace {

// Weights under OpenAI's names, of levels with these channels and one block each.
struct Openai {
    std::vector<int64_t> channels = {32, 64};
    std::vector<bool> attention = {false, true};
    bool by_resnet = false, scale_shift = false;
    int64_t pictures = 3, outputs = 3, classes = 0, first = 32;

    NamedTensors tensors() const {
        NamedTensors all;
        int64_t seed = 0;
        const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
            int64_t count = 1;
            for (const int64_t length : shape) count *= length;
            all.emplace_back(name, (at::arange(count, at::kFloat) + static_cast<double>(seed++)).sin().view(shape));
        };
        const auto both = [&](const std::string& name, const std::vector<int64_t>& shape) {
            add(name + ".weight", shape);
            add(name + ".bias", {shape[0]});
        };
        const auto resnet = [&](const std::string& name, int64_t in, int64_t out) {
            both(name + ".in_layers.0", {in});
            both(name + ".in_layers.2", {out, in, 3, 3});
            both(name + ".emb_layers.1", {scale_shift ? 2 * out : out, 4 * first});
            both(name + ".out_layers.0", {out});
            both(name + ".out_layers.3", {out, out, 3, 3});
            if (in != out) both(name + ".skip_connection", {out, in, 1, 1});
        };
        const auto attend = [&](const std::string& name, int64_t count) {
            both(name + ".norm", {count});
            both(name + ".qkv", {3 * count, count, 1});
            both(name + ".proj_out", {count, count, 1});
        };
        const size_t levels = channels.size();
        both("time_embed.0", {4 * first, first});
        both("time_embed.2", {4 * first, 4 * first});
        if (classes > 0) add("label_emb.weight", {classes, 4 * first});
        both("input_blocks.0.0", {channels[0], pictures, 3, 3});
        int64_t now = channels[0], place = 0;
        std::vector<int64_t> skips{now};
        for (size_t level = 0; level < levels; ++level) {
            const std::string block = fmt::format("input_blocks.{}", ++place);
            resnet(block + ".0", now, channels[level]);
            if (attention[level]) attend(block + ".1", channels[level]);
            skips.push_back(now = channels[level]);
            if (level + 1 == levels) continue;
            const std::string sampler = fmt::format("input_blocks.{}.0", ++place);
            by_resnet ? resnet(sampler, now, now) : both(sampler + ".op", {now, now, 3, 3});
            skips.push_back(now);
        }
        resnet("middle_block.0", now, now);
        attend("middle_block.1", now);
        resnet("middle_block.2", now, now);
        place = 0;
        for (size_t level = levels; level-- > 0;)
            for (int i = 0; i < 2; ++i) {
                const std::string block = fmt::format("output_blocks.{}", place++);
                resnet(block + ".0", now + skips.back(), channels[level]);
                skips.pop_back();
                now = channels[level];
                if (attention[level]) attend(block + ".1", now);
                if (level == 0 || i == 0) continue;
                const std::string sampler = block + (attention[level] ? ".2" : ".1");
                by_resnet ? resnet(sampler, now, now) : both(sampler + ".conv", {now, now, 3, 3});
            }
        both("out.0", {now});
        both("out.2", {outputs, channels[0], 3, 3});
        return all;
    }
};

struct Outcome {
    ConvertedModel model;
    std::string error = "no error";
};

Outcome convert(const fs::path& file, const char* settings, ConvertRequest request = {}) {
    request.settings = parse_json(settings, "test");
    Outcome outcome;
    try {
        outcome.model = read_model(file, request);
    } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 2);
        outcome.error = error.what();
        EXPECT_EQ(outcome.error.find('\n'), std::string::npos);
    }
    return outcome;
}

Outcome convert(const NamedTensors& tensors, const char* settings, const ConvertRequest& request = {}) {
    const TempFolder folder;
    write_safetensors(folder / "a.safetensors", tensors);
    return convert(folder / "a.safetensors", settings, request);
}

// The plainest of these networks, written once for all tests.
fs::path plain() {
    static const TempFolder folder;
    static const fs::path file = [] {
        write_safetensors(folder / "plain.safetensors", Openai().tensors());
        return folder / "plain.safetensors";
    }();
    return file;
}

const char* const kOneHead = R"({"image_size": 8, "num_heads": 1})";

std::string error_of(const Openai& weights, const char* settings = kOneHead) { return convert(weights.tensors(), settings).error; }

std::string error_of(const fs::path& file, const char* settings) { return convert(file, settings).error; }

at::Tensor named(const NamedTensors& tensors, const std::string& name) {
    for (const auto& [known, tensor] : tensors)
        if (known == name) return tensor;
    ADD_FAILURE() << name;
    return {};
}

TEST(ConvertOpenai, ReadsTheArchitectureOffTheNames) {
    Openai weights;
    weights.by_resnet = weights.scale_shift = true;
    weights.classes = 5;
    weights.outputs = 6;
    const Outcome outcome = convert(weights.tensors(), R"({"image_size": 8, "num_head_channels": 16, "noise_schedule": "cosine"})");
    ASSERT_EQ(outcome.error, "no error");
    const Json unet = unet_to_json(outcome.model.unet);
    EXPECT_EQ(unet["block_out_channels"], Json({32, 64}));
    EXPECT_EQ(unet["down_block_types"], Json({"ResnetDownsampleBlock2D", "AttnDownBlock2D"}));
    EXPECT_EQ(unet["up_block_types"], Json({"AttnUpBlock2D", "UpBlock2D"}));
    EXPECT_EQ(unet["upsample_type"], "resnet");
    EXPECT_EQ(unet["layers_per_block"], 1);
    EXPECT_EQ(unet["resnet_time_scale_shift"], "scale_shift");
    EXPECT_EQ(unet["attn_norm_num_groups"], 32);
    EXPECT_EQ(unet["attention_head_dim"], 16);
    EXPECT_EQ(unet["num_class_embeds"], 5);
    EXPECT_EQ(unet["out_channels"], 6);
    EXPECT_EQ(unet["sample_size"], 8);
    EXPECT_EQ(outcome.model.scheduler.variance_type, "learned_range");
    EXPECT_EQ(outcome.model.scheduler.beta_schedule, "squaredcos_cap_v2");
    EXPECT_EQ(outcome.model.format, "openai");
}

TEST(ConvertOpenai, TakesTheFusedMapApartInBothOrders) {
    const NamedTensors tensors = Openai().tensors();
    const at::Tensor fused = named(tensors, "middle_block.1.qkv.weight").squeeze(2);
    for (const bool new_order : {false, true}) {
        const Outcome outcome = convert(plain(), new_order ? R"({"image_size": 8, "num_heads": 4, "use_new_attention_order": true})"
                                                           : R"({"image_size": 8, "num_heads": 4})");
        ASSERT_EQ(outcome.error, "no error");
        // This is row 2 of head 1 of k; there are 4 heads of 16 rows.
        const at::Tensor k = named(outcome.model.weights, "mid_block.attentions.0.to_k.weight");
        EXPECT_TRUE(at::equal(k[16 + 2], fused[new_order ? 64 + 16 + 2 : 48 + 16 + 2]));
        EXPECT_TRUE(at::equal(named(outcome.model.weights, "mid_block.attentions.0.to_out.0.weight"),
                              named(tensors, "middle_block.1.proj_out.weight").squeeze(2)));
        EXPECT_EQ(outcome.model.unet.attention_head_dim, 16);
    }
}

TEST(ConvertOpenai, ScalesTheScheduleWithItsLength) {
    const auto scheduler = [&](const char* settings) { return convert(plain(), settings).model.scheduler; };
    const SchedulerConfig usual = scheduler(kOneHead);
    EXPECT_EQ(usual.variance_type, "fixed_large");
    EXPECT_NEAR(usual.beta_end, 0.02, 1e-15);
    const SchedulerConfig longer = scheduler(
        R"({"image_size": 8, "num_heads": 1, "diffusion_steps": 4000, "rescale_timesteps": false, "sigma_small": true,
            "predict_xstart": true})");
    EXPECT_EQ(longer.num_train_timesteps, 4000);
    EXPECT_NEAR(longer.beta_end, 0.005, 1e-15);
    EXPECT_EQ(longer.variance_type, "fixed_small");
    EXPECT_EQ(longer.prediction_type, "sample");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 8, "num_heads": 1, "diffusion_steps": 4000})"),
                "openai.rescale_timesteps: missing");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 8, "num_heads": 1, "diffusion_steps": 10, "rescale_timesteps": false})"),
                "openai.diffusion_steps");
    // A network that was trained with t/4 gets a table of those times.
    const Outcome told =
        convert(plain(), R"({"image_size": 8, "num_heads": 1, "diffusion_steps": 4000, "rescale_timesteps": true})");
    EXPECT_EQ(told.model.unet.num_train_timesteps, 4000);
    const at::Tensor table = named(told.model.weights, "time_proj.weight");
    EXPECT_NEAR(table[10][0].item<float>(), std::cos(2.5), 1e-6);
    EXPECT_NEAR(table[10][16].item<float>(), std::sin(2.5), 1e-6);
}

TEST(ConvertOpenai, AsksForWhatTheFileCannotSay) {
    EXPECT_SAYS(error_of(plain(), "{}"), "openai.image_size: missing");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 8})"), "openai.num_heads: missing");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 9, "num_heads": 1})"), "openai.image_size: 9 is no multiple of 2");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 8, "num_heads": 7})"), "openai.num_heads: 7 does not divide the 64 channels");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 8, "num_head_channels": 48})"), "openai.num_head_channels: 48 does not divide");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": 8, "num_headz": 1})"),
                "openai: unknown key \"num_headz\"; did you mean \"num_heads\"");
    EXPECT_SAYS(error_of(plain(), R"({"image_size": "big"})"), "openai.image_size: got \"big\"");
}

TEST(ConvertOpenai, RefusesWhatCannotBeExpressed) {
    Openai two_widths;
    two_widths.attention = {true, true};
    EXPECT_EQ(error_of(two_widths), "no error") << "one head at all levels";
    EXPECT_EQ(error_of(two_widths, R"({"image_size": 8, "num_head_channels": 16})"), "no error");
    EXPECT_SAYS(error_of(two_widths, R"({"image_size": 8, "num_heads": 4})"), "4 heads make heads of 8 and 16 channels");
    Openai half_first;
    half_first.first = 64;
    EXPECT_SAYS(error_of(half_first), "its time embedding begins 64 wide and its first level has 32 channels");
    Openai larger;
    larger.pictures = 6;
    EXPECT_SAYS(error_of(larger), "takes 6 channels and gives 3; super-resolution");

    const auto without = [](const std::string& prefix) {
        NamedTensors tensors = Openai().tensors();
        std::erase_if(tensors, [&](const auto& item) { return item.first.rfind(prefix, 0) == 0; });
        return convert(tensors, kOneHead).error;
    };
    EXPECT_SAYS(without("output_blocks."), "a classifier");
    EXPECT_SAYS(without("input_blocks.2."), "plain averaging");
    EXPECT_SAYS(without("output_blocks.3."), "not the same number of blocks");
    EXPECT_SAYS(without("out.2.weight"), "out.2.weight is missing");
    EXPECT_SAYS(without("middle_block.2.out_layers.3.bias"),
                "does not fit the network: middle_block.2.out_layers.3.bias is missing");
    NamedTensors more = Openai().tensors();
    more.emplace_back("aux.weight", at::ones({1}));
    EXPECT_SAYS(convert(more, kOneHead).error, "aux.weight is not of this network");
    NamedTensors integers = Openai().tensors();
    for (auto& [name, tensor] : integers)
        if (name == "out.0.bias") tensor = tensor.to(at::kInt);
    EXPECT_SAYS(convert(integers, kOneHead).error, "out.0.bias holds integers");
}

TEST(Convert, FindsTheNetworkInTheFile) {
    const auto under = [](const std::vector<std::string>& prefixes) {
        NamedTensors tensors{{"step", at::ones({1})}};
        for (const std::string& prefix : prefixes)
            for (const auto& [name, tensor] : Openai().tensors()) tensors.emplace_back(prefix + name, tensor);
        return tensors;
    };
    EXPECT_EQ(convert(under({"module."}), kOneHead).error, "no error");
    EXPECT_SAYS(convert(under({"ema.", "model."}), kOneHead).error,
                "holds 2 networks, under \"ema\", \"model\"; say which with --key");
    ConvertRequest request;
    request.key = "ema";
    EXPECT_EQ(convert(under({"ema.", "model."}), kOneHead, request).error, "no error");
    request.key = "emma";
    EXPECT_SAYS(convert(under({"ema.", "model."}), kOneHead, request).error, "--key: holds no network under \"emma\"");
    request = {};
    request.from = "pesser";
    EXPECT_SAYS(convert(under({"ema."}), kOneHead, request).error, "are not those of --from pesser");
}

TEST(Convert, RefusesOthersByName) {
    const at::Tensor one = at::ones({1});
    EXPECT_SAYS(convert({{"ema.init_conv.weight", one}, {"ema.downs.0.0.block1.proj.weight", one}}, "{}").error,
                "lucidrains' denoising-diffusion-pytorch under \"ema\"; its 7×7 first convolution");
    EXPECT_SAYS(convert({{"conv_in.weight", one}, {"down_blocks.0.resnets.0.norm1.weight", one}}, "{}").error,
                "a U-Net of diffusers, but weights alone");
    EXPECT_SAYS(convert({{"a\n", one}}, "{}").error,
                "its names (\"a\\n\", …) are not those of a network that is known here: "
                "diffusers, openai, pesser");
    EXPECT_SAYS(convert(NamedTensors{}, "{}").error, "holds no tensors");
    EXPECT_SAYS(convert({{"temb.dense.0.weight", one}}, "{}").error, "no levels down.0");
}

TEST(Convert, DiffusersComesThroughUnchanged) {
    const TempFolder folder;
    UNetConfig config = test::plain_network();
    config.sample_size = {8, 8};
    UNet2D unet(config);
    initialize_weights(unet, 1);
    write_pipeline(folder.path(), config, to_scheduler({}), named_tensors(unet));
    const ConvertedModel model = read_model(folder.path(), {});
    EXPECT_EQ(unet_to_json(model.unet), unet_to_json(config));
    write_pipeline_file(folder / "all.safetensors", model.unet, model.scheduler, model.weights);
    const ConvertedModel again = read_model(folder / "all.safetensors", {});
    EXPECT_EQ(again.format, "diffusers");
    EXPECT_EQ(unet_to_json(again.unet), unet_to_json(config));
    EXPECT_EQ(scheduler_to_json(again.scheduler), scheduler_to_json(to_scheduler({})));
    for (const auto& [name, tensor] : again.weights) EXPECT_TRUE(at::equal(tensor, unet.named_parameters()[name])) << name;
    ConvertRequest request;
    request.settings = {{"image_size", 8}};
    try {
        read_model(folder.path(), request);
        FAIL();
    } catch (const Error& error) {
        EXPECT_SAYS(std::string(error.what()), "--set image_size: this model says everything itself");
    }
}

}  // namespace
}  // namespace ddpm
