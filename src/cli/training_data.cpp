#include "cli/training_data.h"

#include <spdlog/spdlog.h>

#include "cli/class_rows.h"
#include "cli/same_data.h"
#include "ddpm/core/error.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/dataset/relabel.h"
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
    if (const std::string numbers = misleading_numbers(dataset.class_names()); !numbers.empty())
        spdlog::info("classes are numbered in the order of their names: {}; `ddpm sample --label` takes the names", numbers);
}

// An empty class has no label, so that those after it would move up, and move again when it has a picture.
void refuse_empty_classes(const Config& config, const Dataset& dataset) {
    const std::vector<std::string> empty = dataset.empty_classes();
    if (!config.model.num_class_embeds || empty.empty()) return;
    user_error(
        fmt::format("{}: a class's subfolder without a picture that can be read{}: the classes after it would take its number",
                    one_line((fs::path(config.dataset.path) / empty.front()).string()),
                    empty.size() > 1 ? fmt::format(", and {} more", empty.size() - 1) : ""),
        "put pictures into it, or move it away; `ddpm data` says what is left out and why");
}

// Returns the data set with the labels of the checkpoint, by the names of the classes. A class that was added, removed or renamed
// would give its pictures the number of another, and is refused.
std::shared_ptr<const Dataset> with_labels_of(const fs::path& checkpoint, const Config& config,
                                              const std::shared_ptr<const Dataset>& dataset) {
    if (!config.model.num_class_embeds) return dataset;
    if (auto same = relabel(dataset, training_label_names(checkpoint))) return same;
    check_same_classes(checkpoint, config, *dataset);
    return dataset;
}

}  // namespace

TrainingData open_training_data(const Config& config, const std::optional<std::filesystem::path>& checkpoint, int threads) {
    const auto seed = static_cast<uint64_t>(config.seed);
    if (checkpoint) check_data_is_there(*checkpoint, config);
    TrainingData data{open_dataset(config.dataset, seed, threads), {}, {}};
    check_epoch_fits(*data.whole);
    if (checkpoint)
        data.whole = with_labels_of(*checkpoint, config, data.whole);
    else
        refuse_empty_classes(config, *data.whole);
    check_labels(config, *data.whole);
    if (held_out_count(data.whole->size(), config.dataset.holdout) > 0)
        data.split = split_dataset(data.whole, config.dataset.holdout, seed);
    if (const std::string notes = data.whole->notes(); !notes.empty()) spdlog::warn(notes);
    data.fingerprint = data.whole->fingerprint(worker_count(config.dataset, threads));
    if (checkpoint) check_same_pictures(*checkpoint, config, data.training().size(), data.fingerprint);
    return data;
}

}  // namespace ddpm::cli
