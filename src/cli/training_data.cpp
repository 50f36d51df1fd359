#include "cli/training_data.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::cli {

namespace {

// Refuses a data set if the network's table has no row for one of its labels.
void check_labels(const Config& config, const Dataset& dataset) {
    if (config.model.class_embed_type == "identity")
        key_error("model.class_embed_type",
                  "\"identity\" wants vectors for labels, which no data set here has; expected null or "
                  "timestep");
    if (config.model.class_embed_type && !config.model.num_class_embeds)
        key_error("model.class_embed_type", "is set, but not how many labels there are; set model.num_class_embeds too");
    if (!config.model.num_class_embeds) return;
    const auto classes = static_cast<int64_t>(dataset.class_names().size());
    const int64_t needed = classes + (config.train.class_dropout > 0 ? 1 : 0);
    if (classes == 0)
        key_error("model.num_class_embeds",
                  "is set, but the data set has no labels; put the pictures into one subfolder "
                  "a class, or set it to null");
    if (*config.model.num_class_embeds < needed)
        key_error("model.num_class_embeds",
                  fmt::format("got {}, expected at least {}: {} classes{}", *config.model.num_class_embeds, needed, classes,
                              needed > classes ? " and the empty label of train.class_dropout" : ""));
    check_label_names(dataset.class_names());
}

// Refuses other classes than those of the checkpoint, because a class that was added, removed or renamed would give pictures the
// number of another class.
void check_same_classes(const fs::path& checkpoint, const Config& config, const Dataset& dataset) {
    if (!config.model.num_class_embeds) return;
    const std::vector<std::string> before = training_label_names(checkpoint), &now = dataset.class_names();
    if (before != now)
        user_error(
            fmt::format("{}: was trained with the classes {}, and the data set has {} now; labels would mean something "
                        "else; name the folders as they were",
                        checkpoint.string(), quote(join(before)), quote(join(now))));
}

}  // namespace

TrainingData open_training_data(const Config& config, const std::optional<std::filesystem::path>& checkpoint, int threads) {
    const auto seed = static_cast<uint64_t>(config.seed);
    TrainingData data{open_dataset(config.dataset, seed, threads), {}};
    check_epoch_fits(*data.whole);
    check_labels(config, *data.whole);
    if (checkpoint) check_same_classes(*checkpoint, config, *data.whole);
    if (held_out_count(data.whole->size(), config.dataset.holdout) > 0)
        data.split = split_dataset(data.whole, config.dataset.holdout, seed);
    return data;
}

}  // namespace ddpm::cli
