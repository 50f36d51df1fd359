#include <algorithm>
#include <cstring>
#include <tuple>

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"
#include "ddpm/tensorfile/safetensors_header.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

ProcessResult convert(const std::string& target, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"convert", "runs/tiny", target});
    return trained().run(more);
}

std::vector<uint8_t> drawn(const std::string& checkpoint, const std::string& out) {
    const ProcessResult result =
        trained().run({"sample", "--ckpt", checkpoint, "--n", "1", "--out", out, "--sampler", "ddim", "--steps", "5"});
    EXPECT_EQ(result.code, 0) << result.err;
    return read_image(trained().folder / out / "000000.png").pixels;
}

TEST(Convert, WritesAFolderAndASingleFile) {
    ASSERT_EQ(convert("folder").code, 0);
    const std::string weights = "unet/diffusion_pytorch_model.safetensors";
    EXPECT_EQ(trained().bytes("folder/" + weights), trained().bytes(step_folder(6) + "/" + weights));
    EXPECT_EQ(trained().bytes("folder/unet/config.json"), trained().bytes(step_folder(6) + "/unet/config.json"));
    EXPECT_EQ(trained().bytes("folder/scheduler/scheduler_config.json"),
              trained().bytes(step_folder(6) + "/scheduler/scheduler_config.json"));
    EXPECT_FALSE(trained().exists("folder/training"));
    const ProcessResult single = convert("deep/er/all.safetensors", {"--dtype", "bf16"});
    ASSERT_EQ(single.code, 0) << single.err;
    EXPECT_EQ(single.out, "");
    for (const SafetensorsEntry& entry : read_safetensors_header(trained().folder / "deep/er/all.safetensors").tensors)
        EXPECT_EQ(entry.dtype, "BF16") << entry.name;
    EXPECT_EQ(drawn("folder", "drawn-folder"), drawn("runs/tiny", "drawn-run"));
    EXPECT_EQ(drawn("deep/er/all.safetensors", "drawn-single").size(), drawn("folder", "drawn-again").size());
    const ProcessResult info = trained().run({"info", "deep/er/all.safetensors"});
    EXPECT_NE(info.out.find("ddpm sample --ckpt deep/er/all.safetensors"), std::string::npos) << info.out;
}

TEST(Convert, ReplacesOnlyItsOwnAndOnlyWhenAsked) {
    ASSERT_EQ(convert("o").code, 0);
    ASSERT_EQ(convert("o.safetensors").code, 0);
    for (const std::string target : {"o", "o.safetensors"}) {
        const ProcessResult refused = convert(target);
        EXPECT_EQ(refused.code, 2);
        EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
    }
    const std::string weights = "o/unet/diffusion_pytorch_model.safetensors";
    const size_t wide = trained().bytes(weights).size();
    ASSERT_EQ(convert("o", {"--dtype", "fp16", "--overwrite"}).code, 0);
    EXPECT_LT(trained().bytes(weights).size(), wide * 2 / 3);
    ASSERT_EQ(convert("o.safetensors", {"--overwrite"}).code, 0);
    make_folders(trained().folder / "thesis");
    write_file(trained().folder / "thesis/chapter", "years of work");
    for (const std::string& target : {std::string("thesis"), step_folder(6), std::string("runs/tiny")}) {
        const ProcessResult refused = convert(target, {"--overwrite"});
        EXPECT_EQ(refused.code, 2) << target;
        EXPECT_NE(refused.err.find("choose another name"), std::string::npos) << refused.err;
    }
    // Models that others have made.
    write_file(trained().folder / "sd.safetensors", trained().bytes("o.safetensors").replace(0, 8, "\x02\0\0\0\0\0\0\0{}", 8));
    fs::create_symlink("tiny.json", trained().folder / "link.safetensors");
    fs::copy(trained().folder / "o", trained().folder / "with-bin", fs::copy_options::recursive);
    write_file(trained().folder / "with-bin/unet/diffusion_pytorch_model.bin", "weights");
    for (const std::string& target : {std::string("sd.safetensors"), std::string("link.safetensors"), std::string("with-bin"),
                                      step_folder(6) + "/training/weights.safetensors", weights}) {
        const std::string before = trained().exists(target + "/unet") ? "" : trained().bytes(target);
        const ProcessResult refused = convert(target, {"--overwrite"});
        EXPECT_EQ(refused.code, 2) << target;
        const char* said = target == "link.safetensors" ? "expected a name that ends in .safetensors" : "choose another name";
        EXPECT_NE(refused.err.find(said), std::string::npos) << refused.err;
        EXPECT_TRUE(before.empty() || trained().bytes(target) == before) << target;
    }
    EXPECT_TRUE(trained().exists("with-bin/unet/diffusion_pytorch_model.bin"));
    EXPECT_TRUE(trained().exists("thesis/chapter"));
    EXPECT_TRUE(trained().exists(step_folder(6) + "/training/weights.safetensors"));
    make_folders(trained().folder / "empty");
    EXPECT_EQ(convert("empty").code, 0);
}

TEST(Convert, AUNetAloneIsDrawnFromWithAWarning) {
    const ProcessResult whole =
        trained().run({"sample", "--ckpt", step_folder(6) + "/unet", "--n", "1", "--out", "beside", "--steps", "2"});
    ASSERT_EQ(whole.code, 0) << whole.err;
    EXPECT_EQ(whole.err.find("taking the defaults"), std::string::npos) << "the scheduler lies beside it: " << whole.err;
    fs::copy(trained().folder / (step_folder(6) + "/unet"), trained().folder / "unet");
    const ProcessResult result = trained().run({"sample", "--ckpt", "unet", "--n", "1", "--out", "alone", "--steps", "2"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("taking the defaults of diffusers' DDPMScheduler"), std::string::npos) << result.err;
    const ProcessResult refused =
        trained().run({"sample", "--ckpt", step_folder(6) + "/training/weights.safetensors", "--out", "none"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("weights alone: its __metadata__ has no unet_config"), std::string::npos) << refused.err;
}

// A network that can't be sampled from is refused by name before any sampling.
TEST(Convert, ForeignFoldersAreRefusedByName) {
    ASSERT_EQ(convert("foreign").code, 0);
    const auto refusal = [&](const char* file, const Json& changes, const std::vector<std::string>& more = {}) {
        const fs::path path = trained().folder / "foreign" / file;
        const std::string before = read_file(path, 1u << 20);
        Json json = parse_json(before, file);
        json.merge_patch(changes);
        write_file(path, dump_json(json));
        std::vector<std::string> arguments{"sample", "--ckpt", "foreign", "--n", "1", "--out", "refused"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const ProcessResult result = trained().run(arguments);
        write_file(path, before);
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_FALSE(trained().exists("refused"));
        return result.err;
    };
    EXPECT_NE(
        refusal("model_index.json", {{"_class_name", "StableDiffusionPipeline"}}).find("StableDiffusionPipeline is not supported"),
        std::string::npos);
    EXPECT_NE(refusal("unet/config.json", {{"class_embed_type", "identity"}}).find("class_embed_type is \"identity\""),
              std::string::npos);
    EXPECT_NE(refusal("unet/config.json", {{"time_embedding_type", "learned"}, {"num_train_timesteps", 20}})
                  .find("the scheduler has 50 timesteps, but the U-Net's learned embedding only 20"),
              std::string::npos);
    EXPECT_NE(refusal("unet/config.json", {{"sample_size", 9}}).find("no multiple of 2"), std::string::npos);
    const fs::path scheduler = trained().folder / "foreign/scheduler/scheduler_config.json";
    write_file(scheduler, R"({"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity})");
    const ProcessResult result = trained().run({"sample", "--ckpt", "foreign", "--out", "refused"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("another scheduler than DDPMScheduler or DDIMScheduler"), std::string::npos) << result.err;
}

// Numbers too large for a narrow type are refused; those too small become 0 and are counted.
TEST(Convert, TellsWhatANarrowTypeCannotHold) {
    ASSERT_EQ(convert("whole.safetensors").code, 0);
    const std::string sound = trained().bytes("whole.safetensors");
    const SafetensorsHeader header = read_safetensors_header(trained().folder / "whole.safetensors");
    const auto entry = std::find_if(header.tensors.begin(), header.tensors.end(),
                                    [](const SafetensorsEntry& tensor) { return tensor.name == "conv_in.weight"; });
    ASSERT_NE(entry, header.tensors.end());
    int number = 0;
    // Converts with these numbers in front of conv_in.weight, all others of which are 1.
    const auto narrow = [&](const std::string& dtype, const std::vector<float>& numbers) {
        std::string bytes = sound;
        bytes.replace(bytes.find("crc32"), 5, "other");  // the checksum would not fit any more
        for (uint64_t at = entry->begin; at < entry->end; at += 4) {
            const float value = (at - entry->begin) / 4 < numbers.size() ? numbers[(at - entry->begin) / 4] : 1;
            std::memcpy(bytes.data() + header.buffer_begin + at, &value, 4);
        }
        write_file(trained().folder / "narrow.safetensors", bytes);
        return trained().run({"convert", "narrow.safetensors", "narrow" + std::to_string(++number), "--dtype", dtype});
    };
    // The other tensors of a young model have such numbers too.
    const auto count_of = [](const std::string& type, const ProcessResult& result) {
        const std::string before = "warning: --dtype " + type + ": ";
        const size_t at = result.err.find(before);
        return at == std::string::npos ? 0 : std::stoi(result.err.substr(at + before.size()));
    };
    const std::string becomes = "smaller than it holds and become 0, first in conv_in.weight";
    // float16's smallest number is 2^-24 = 5.96e-8, and half of it rounds to 0; bfloat16 has float32's exponents.
    for (const auto& [dtype, numbers, lost] :
         {std::tuple<std::string, std::vector<float>, int>{"fp16", {1e-9f, -1e-30f, 2e-8f, 6e-8f, 0, 1}, 3},
          {"fp16", {2.9e-8f}, 1},
          {"fp16", {3.1e-8f, 0, -0.0f}, 0},
          {"bf16", {1e-30f, 1e-38f}, 0},
          {"bf16", {1e-45f}, 1},
          {"fp32", {1e-45f}, 0}}) {
        const ProcessResult result = narrow(dtype, numbers);
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(result.err.find(becomes) != std::string::npos, lost > 0) << dtype << ": " << result.err;
        EXPECT_EQ(count_of(dtype, result) - count_of(dtype, narrow(dtype, {})), lost) << result.err;
    }
    for (const auto& [dtype, value] : {std::pair<std::string, float>{"fp16", 70000.0f}, {"fp16", -1e30f}, {"bf16", 3.4e38f}}) {
        const ProcessResult result = narrow(dtype, {value});
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find("--dtype " + dtype + ": conv_in.weight holds numbers beyond"), std::string::npos) << result.err;
    }
}

TEST(Convert, OverwriteSparesFoldersThatHoldMore) {
    ASSERT_EQ(convert("mine").code, 0);
    EXPECT_EQ(convert("mine", {"--overwrite"}).code, 0);
    write_file(trained().folder / "mine/thesis.txt", "years of work");
    const ProcessResult refused = convert("mine", {"--overwrite"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("thesis.txt"), std::string::npos) << refused.err;
    EXPECT_TRUE(trained().exists("mine/thesis.txt"));
    fs::rename(trained().folder / "mine/thesis.txt", trained().folder / "mine/unet/thesis.txt");
    EXPECT_EQ(convert("mine", {"--overwrite"}).code, 2);
    EXPECT_TRUE(trained().exists("mine/unet/thesis.txt"));
}

}  // namespace
}  // namespace ddpm
