#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/report/metrics.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace ddpm {

// Runs the program in a folder of its own, which holds tiny.json, a configuration that trains very quickly.
struct Tiny {
    TempFolder folder;

    explicit Tiny(const std::string& changes = "{}") {
        Json config = parse_json(R"({
            "dataset": {"type": "shapes", "image_size": 8, "length": 100},
            "model": {"block_out_channels": [8, 16], "layers_per_block": 1, "attention_resolutions": [4],
                      "norm_num_groups": 4},
            "diffusion": {"timesteps": 50},
            "train": {"steps": 6, "batch_size": 4, "warmup_steps": 2, "checkpoint_every": 2, "sample_every": 0,
                      "sample_images": 4},
            "sample": {"sampler": "ddim", "steps": 5, "timestep_spacing": "trailing"}})",
                                 "tiny");
        config.merge_patch(parse_json(changes, "changes"));
        write_file(folder / "tiny.json", dump_json(config));
    }

    ProcessResult run(const std::vector<std::string>& arguments) const { return run_ddpm(arguments, folder.path()); }
    ProcessResult train(std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {"train", "--config", "tiny.json"});
        return run(more);
    }

    std::string bytes(const fs::path& file) const { return read_file(folder / file, 1u << 30); }
    bool exists(const fs::path& file) const { return fs::exists(folder / file); }
};

// A Tiny whose run of 6 steps is done, in runs/tiny.
struct Trained : Tiny {
    Trained() { EXPECT_EQ(train().code, 0); }
};

inline std::string step_folder(int64_t step, const std::string& run = "runs/tiny") {
    std::string digits = std::to_string(step);
    return run + "/checkpoints/step-" + std::string(6 - digits.size(), '0') + digits;
}

// Returns the steps of a run's metrics.jsonl, one for each line.
inline std::vector<int64_t> steps_of(const Tiny& tiny, const std::string& run = "runs/tiny") {
    std::vector<int64_t> steps;
    for (const Json& line : read_metrics(tiny.folder / run / "metrics.jsonl")) steps.push_back(line.at("step"));
    return steps;
}

inline const std::vector<int64_t> kSix{1, 2, 3, 4, 5, 6};

}  // namespace ddpm
