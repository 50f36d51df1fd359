#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "bad_input/bad_input.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "support/program.h"
#include "support/temp_folder.h"
#include "tensorfile/archive.h"

namespace ddpm::test {

// A diffusers pipeline of a few weights, taken apart so that one thing in it can be changed.
struct Parts {
    Json unet, scheduler, model_index;
    Json header;         // of the weights
    std::string buffer;  // their numbers

    void write(const fs::path& folder) const {
        for (const char* name : {"unet", "scheduler"}) fs::create_directories(folder / name);
        write_file(folder / "model_index.json", dump_json(model_index));
        write_file(folder / "scheduler/scheduler_config.json", dump_json(scheduler));
        write_file(folder / "unet/config.json", dump_json(unet));
        const std::string text = header.dump();
        write_file(folder / "unet/diffusion_pytorch_model.safetensors", little(text.size(), 8) + text + buffer);
    }
};

// What the program itself wrote after a step of training.
inline const Parts& sound() {
    static const Parts parts = [] {
        const TempFolder folder;
        write_file(folder / "c.json",
                   R"({"dataset": {"image_size": 8, "length": 8}, "diffusion": {"timesteps": 10, "schedule": "cosine"},
            "model": {"block_out_channels": [8], "layers_per_block": 1, "attention_resolutions": [], "norm_num_groups": 4},
            "train": {"steps": 1, "batch_size": 1, "sample_images": 0}})");
        const ProcessResult trained = run_ddpm({"train", "--config", "c.json", "--out", "r", "--threads", "1"}, folder.path());
        EXPECT_EQ(trained.code, 0) << trained.err;
        const fs::path checkpoint = folder / "r/checkpoints/step-000001";
        const std::string weights = read_file(checkpoint / "unet/diffusion_pytorch_model.safetensors", 1 << 24);
        size_t length = 0;
        for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(weights[static_cast<size_t>(i)]);
        Json header = parse_json(weights.substr(8, length), "header");
        header.erase("__metadata__");  // with a checksum of the header's very bytes
        return Parts{read_json_file(checkpoint / "unet/config.json"),
                     read_json_file(checkpoint / "scheduler/scheduler_config.json"),
                     read_json_file(checkpoint / "model_index.json"), std::move(header), weights.substr(8 + length)};
    }();
    return parts;
}

// A verb, and its --ckpt p, to which the flags of a case are added.
struct OfCheckpoint {
    std::vector<std::string> verb;

    // A case that is refused before the checkpoint is looked at.
    BadInput early(const std::string& name, const std::vector<std::string>& flags, std::vector<std::string> words,
                   std::function<void(const fs::path&)> make = {}) const {
        std::vector<std::string> arguments = verb;
        arguments.insert(arguments.end(), {"--ckpt", "p"});
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        return {name, std::move(arguments), std::move(words), std::move(make)};
    }

    // The same of a sound model with 10 timesteps and pictures of 8×8.
    BadInput of_model(const std::string& name, const std::vector<std::string>& flags, std::vector<std::string> words,
                      const std::function<void(const fs::path&)>& more = {}) const {
        return early(name, flags, std::move(words), [more](const fs::path& folder) {
            sound().write(folder / "p");
            if (more) more(folder);
        });
    }
};

}  // namespace ddpm::test
