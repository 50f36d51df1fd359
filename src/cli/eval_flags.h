#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/run_flags.h"
#include "ddpm/dataset/options.h"
#include "ddpm/eval/source.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// A data set by its options and the seed of its configuration.
struct NamedData {
    DatasetOptions options;
    int64_t seed = 0;
};

// Has the pictures of a data set taken without what training varies: not mirrored, and cropped at the centre.
void take_as_they_are(DatasetOptions& options);

// The flags that all evaluations have, and the pictures that these flags name.
struct EvalFlags : RunFlags {
    std::string ckpt, data, split;
    std::vector<std::string> assignments;  // --set, of the configuration that --data names
    bool as_they_are = false;              // pictures are not mirrored, and are cropped at the centre, whatever the data set says
    bool by_parts = false;                 // pictures are taken by spread(), not at equal steps
    int64_t n = 64, seed = 0, batch = 64;

    void add(CLI::App& command);
    void add_set(CLI::App& command);  // --set
    // Throws a user_error if there is --set and --data names no configuration.
    void check_set() const;
    // Throws a user_error if --ckpt is missing or the value of a flag is unknown. `evaluation` is the name for the message.
    void check(const std::string& evaluation) const;

    // Returns what --data names, or what the checkpoint was trained on. Pictures of another size than the model's are a user_error.
    NamedData data_of(const Model& model) const;

    // Opens the pictures that --data names, or those that the checkpoint was trained on. If the model has classes, the pictures
    // carry its labels. Pictures or classes that do not fit the model are a user_error.
    ImageSource open_pictures(const Model& model, int threads) const;
    // Opens the same pictures for a measure that needs no labels of the model: their classes are not looked at.
    ImageSource open_unlabelled(const Model& model, int threads) const;
};

}  // namespace ddpm::cli
