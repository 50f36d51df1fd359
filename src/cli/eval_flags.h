#pragma once

#include <cstdint>
#include <string>

#include "cli/run_flags.h"
#include "ddpm/eval/source.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// The flags that evaluations share, and what they open.
struct EvalFlags : RunFlags {
    std::string ckpt, data, split;
    int64_t n = 64, seed = 0, batch = 64;

    void add(CLI::App& command);
    // user_error: a flag is missing or unknown. `evaluation`: its name, for the messages.
    void check(const std::string& evaluation) const;

    // The pictures that --data, or else the checkpoint, names. Those of a model with classes carry its labels. user_error:
    // they do not fit the model.
    ImageSource open_pictures(const Model& model, int threads) const;
};

}  // namespace ddpm::cli
