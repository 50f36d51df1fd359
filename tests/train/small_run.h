#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "ddpm/report/metrics.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/train/trainer.h"
#include "support/temp_folder.h"

namespace ddpm {

// A data set of 8×8 pictures, each of one grey. A picture has label 1 if `is_poison` returns true for its number, otherwise 0.
class Greys : public Dataset {
public:
    Greys(int64_t size, std::function<bool(int64_t)> is_poison)
        : Dataset(options()), size_(size), is_poison_(std::move(is_poison)) {}
    int64_t size() const override { return size_; }
    const std::vector<std::string>& class_names() const override { return names_; }
    int64_t label(int64_t index) const override { return is_poison_(index) ? 1 : 0; }
    std::string describe() const override { return "greys"; }

protected:
    int64_t fetch(int64_t index, RandomStream&, uint8_t* hwc) const override {
        for (int i = 0; i < 64; ++i) hwc[i] = static_cast<uint8_t>(37 * index);
        return label(index);
    }

private:
    static DatasetOptions options() {
        DatasetOptions options;
        options.height = options.width = 8;
        options.channels = 1;
        return options;
    }
    int64_t size_;
    std::function<bool(int64_t)> is_poison_;
    std::vector<std::string> names_{"sound", "poison"};
};

inline UNetConfig small_unet() {
    ModelOptions model;
    model.block_out_channels = {8, 16};
    model.layers_per_block = 1;
    model.norm_num_groups = 4;
    model.attention_resolutions = std::vector<int64_t>{};
    model.dropout = 0.1;
    model.num_class_embeds = 2;
    return resolve_unet(model, 8, 8, 1);
}

// Returns a network with random weights whose row of label 1 overflows, so that a batch with this label has no finite loss.
inline std::shared_ptr<UNet2D> poisonable_network() {
    auto network = std::make_shared<UNet2D>(small_unet());
    initialize_weights(*network, 3);
    const at::NoGradGuard no_grad;
    for (auto& item : network->named_parameters())
        if (item.key() == "class_embedding.weight") item.value()[1].fill_(3e38);
    return network;
}

// A very short run in a folder of its own.
struct SmallRun {
    TempFolder folder;
    Greys dataset;
    TrainJob job;

    explicit SmallRun(
        int64_t steps, std::function<bool(int64_t)> is_poison = [](int64_t) { return false; })
        : dataset(40, std::move(is_poison)) {
        spdlog::set_level(spdlog::level::off);
        job.folder = folder.path();
        job.config = Json::object();
        job.seed = 3;
        job.unet = small_unet();
        job.diffusion.timesteps = 50;
        job.train.steps = steps;
        job.train.batch_size = 2;
        job.train.warmup_steps = 2;
        job.train.sample_every = 0;
        job.dataset = &dataset;
    }

    std::string train() const {
        try {
            return run_training(job) == TrainEnd::finished ? "finished" : "stopped";
        } catch (const Error& error) {
            return error.what();
        }
    }

    // Trains until the run calls stop_requested for the `nth` time, then stops it or, with `kill`, ends it as a kill would. Sets
    // job.resume.
    void interrupt(int nth, bool kill) {
        int calls = 0;
        job.stop_requested = [=]() mutable {
            if (++calls < nth) return false;
            if (kill) throw std::runtime_error("killed");
            return true;
        };
        try {
            run_training(job);
        } catch (const std::runtime_error&) {
        }
        job.stop_requested = {};
        job.resume = true;
    }

    // Returns the lines of metrics.jsonl without heartbeats and without the keys that depend on the clock.
    std::vector<Json> metrics() const {
        std::vector<Json> lines;
        for (Json line : read_metrics(folder / "metrics.jsonl")) {
            for (const char* key : {"time", "images_per_second", "seconds"}) line.erase(key);
            if (!line.contains("heartbeat")) lines.push_back(std::move(line));
        }
        return lines;
    }

    Json counters(int64_t step) const { return training_counters(folder / "checkpoints" / checkpoint_name(step)); }
};

// Expects that every file of the two runs' checkpoints is the same, byte by byte.
inline void expect_same_checkpoint(const SmallRun& a, const SmallRun& b, int64_t step) {
    const fs::path one = a.folder / "checkpoints" / checkpoint_name(step), other = b.folder / "checkpoints" / checkpoint_name(step);
    ASSERT_TRUE(has_training(one) && has_training(other)) << one << " " << other;
    for (const fs::path& file : list_files(one, true)) {
        const fs::path name = file.lexically_relative(one);
        EXPECT_TRUE(read_file(file, 1u << 30) == read_file(other / name, 1u << 30)) << name;
    }
}

}  // namespace ddpm
