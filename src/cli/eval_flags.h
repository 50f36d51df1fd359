#pragma once

#include <cstdint>
#include <string>

#include "cli/run_flags.h"
#include "ddpm/eval/source.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// The flags that all evaluations have, and the pictures that these flags name.
struct EvalFlags : RunFlags {
    std::string ckpt, data, split;
    int64_t n = 64, seed = 0, batch = 64;

    void add(CLI::App& command);
    // Throws a user_error if --ckpt is missing or the value of a flag is unknown. `evaluation` is the name for the message.
    void check(const std::string& evaluation) const;

    // Opens the pictures that --data names, or those that the checkpoint was trained on. If the model has classes, the pictures
    // carry its labels. Pictures or classes that do not fit the model are a user_error.
    ImageSource open_pictures(const Model& model, int threads) const;
    // Opens the same pictures for a measure that needs no labels of the model: their classes are not looked at.
    ImageSource open_unlabelled(const Model& model, int threads) const;
};

}  // namespace ddpm::cli
