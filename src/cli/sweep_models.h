#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// A network whose samples are judged: a model, a checkpoint of a run, or an average of one.
struct SweptModel {
    std::filesystem::path path{};       // for Model::open
    std::optional<int64_t> step{};      // of the run: that of the checkpoint or of the average; unset for a model as it is named
    std::optional<double> ema_width{};  // of an average
    std::optional<int64_t> ema_step{};  // --step, of an average
    const char* width_flag = "--ema-widths";  // that named the width

    // "step 5000", "width 0.05", or "" for a model as it is named.
    std::string name() const;
    // Opens it with these weights. An error about a width or its step names its flag.
    Model open(const OpenOptions& options) const;
};

// Reads --checkpoints: "all", or steps between commas in any order. Returns the checkpoints ascending by step. Of all of them those
// are left out, with a warning, whose `weights` ("ema" or "raw") are damaged. These are user_errors that begin with `flag`: a path
// that is no run, a run without such a checkpoint, a step twice.
std::vector<SweptModel> swept_checkpoints(const std::filesystem::path& run, const std::string& checkpoints,
                                          const std::string& weights, const std::string& flag);

// Reads --ema-widths: different widths between commas. `run` is not looked at.
std::vector<SweptModel> swept_averages(const std::filesystem::path& run, const std::string& widths,
                                       std::optional<int64_t> ema_step);

}  // namespace ddpm::cli
