#include "cli/eval_flags.h"

#include <memory>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/class_rows.h"
#include "cli/config.h"
#include "cli/defaults.h"
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/nn/unet.h"

namespace ddpm::cli {

namespace {

struct OpenedData {
    std::shared_ptr<const Dataset> dataset;
    std::string type;
};

// Opens the data set that --data names, or the one that the checkpoint was trained on. `labelled`: its classes must fit the model.
OpenedData open_data(const EvalFlags& flags, const Model& model, int threads, bool labelled) {
    NamedData named = flags.data_of(model);
    if (flags.as_they_are) take_as_they_are(named.options);
    const auto open = [&]() -> std::shared_ptr<const Dataset> {
        return open_dataset(named.options, static_cast<uint64_t>(named.seed), threads);
    };
    const std::shared_ptr<const Dataset> dataset =
        flags.split.empty() ? open() : naming_flags({{"dataset.split", "--split"}}, open);
    const auto classes = static_cast<int64_t>(dataset->class_names().size());
    if (labelled && model.network->config().has_classes() && (classes == 0 || classes > model.network->config().num_class_embeds))
        user_error(fmt::format("--data: {} classes, but the model knows {}; its pictures need labels of that model", classes,
                               model.classes()));
    if (const std::string notes = dataset->notes(); !notes.empty()) spdlog::warn(notes);
    return {dataset, named.options.type};
}

// Returns the model's label for each class of the data set.
std::vector<int64_t> match_labels(const OpenedData& data, const Model& model) {
    const ClassTable table{model.class_names, *model.network->config().num_class_embeds};
    const std::vector<std::string>& classes = data.dataset->class_names();
    std::vector<int64_t> labels = rows_of_classes(table, classes, data.type != "image_folder", "--data");
    for (size_t i = 0; i < labels.size(); ++i)
        if (labels[i] < 0) user_error("--data: " + unknown_name("class", classes[i], table.names));
    return labels;
}

}  // namespace

void take_as_they_are(DatasetOptions& options) {
    options.random_flip = false;
    options.crop = DatasetOptions{}.crop;
}

void EvalFlags::add(CLI::App& command) {
    command.add_option("--ckpt", ckpt, "a run, a checkpoint, or a DDPM pipeline folder of diffusers");
    command.add_option("--data", data,
                       "a configuration (JSON) or a folder of pictures (default: what the checkpoint was trained on)");
    command.add_option("--split", split, "of cifar10 or mnist: train or test (default: as the data set is configured)");
    add_with_default(command, "--n", n, "how many pictures, spread evenly over the data set")->check(integer_in(1, 100000000));
    add_with_default(command, "--seed", seed, "of the noise")->check(integer_in(0));
    add_with_default(command, "--batch", batch, "pictures at a time")->check(integer_in(1, 100000));
    add_weights(command);
    add_ema_step(command);
    add_machine(command);
}

void EvalFlags::add_set(CLI::App& command) {
    command.add_option("--set", assignments, "section.key=value: change one setting of --data CONFIG; may be given again")
        ->take_all()
        ->allow_extra_args(false);
}

void EvalFlags::check_set() const {
    if (!assignments.empty() && (data.empty() || is_folder(data)))
        user_error("--set: changes a setting of a configuration, and none is given; --data CONFIG names one");
}

void EvalFlags::check(const std::string& evaluation) const {
    if (ckpt.empty())
        user_error(fmt::format("eval {}: which checkpoint? give --ckpt FOLDER", evaluation),
                   fmt::format("for example: ddpm eval {} --ckpt runs/shapes", evaluation));
    check_names();
    if (!data.empty()) expect_data_source(data);
    if (!split.empty()) read_choice(split, "--split", {"train", "test"});
}

NamedData EvalFlags::data_of(const Model& model) const {
    NamedData named;
    if (data.empty()) {
        if (model.config.is_null())
            user_error(model.source + ": doesn't say which data it was trained on", "give --data CONFIG or --data FOLDER");
        dataset_fields().read_written(named.options, model.config.value("dataset", Json::object()), model.source + ": dataset");
        if (model.config.contains("seed"))
            named.seed = read_integer(model.config["seed"], model.source + ": seed", Range::at_least(0));
        if (!named.options.path.empty() && !is_present(named.options.path))
            user_error(fmt::format("{}: not found, and {} was trained on what lay there", named.options.path, model.source),
                       "where the pictures have moved, --data FOLDER or --data CONFIG says where they are");
    } else if (is_folder(data)) {
        named.options.type = "image_folder";
        named.options.path = data;
        named.options.height = model.height;
        named.options.width = model.width;
        named.options.channels = model.network->config().in_channels;
    } else {
        const Config config = load_config(data, assignments);
        named = {config.dataset, config.seed};
    }
    if (!split.empty()) named.options.split = split;
    const int64_t channels = model.network->config().in_channels;
    if (named.options.height != model.height || named.options.width != model.width || named.options.channels != channels)
        user_error(
            fmt::format("--data: pictures of {}x{} with {} channels, but the model is for {}x{} with {}; set "
                        "dataset.image_size and dataset.channels in the configuration",
                        named.options.width, named.options.height, named.options.channels, model.width, model.height, channels));
    return named;
}

ImageSource EvalFlags::open_pictures(const Model& model, int threads) const {
    const OpenedData data = open_data(*this, model, threads, true);
    const UNetConfig& network = model.network->config();
    if (network.has_classes() && !network.num_class_embeds)
        user_error(model.source + ": its labels are arbitrary numbers, embedded like a time, and no data set here has such labels");
    return dataset_source(data.dataset, n, static_cast<uint64_t>(seed),
                          network.has_classes() ? match_labels(data, model) : std::vector<int64_t>{});
}

ImageSource EvalFlags::open_unlabelled(const Model& model, int threads) const {
    std::shared_ptr<const Dataset> dataset = open_data(*this, model, threads, false).dataset;
    if (!by_parts) return dataset_source(std::move(dataset), n, static_cast<uint64_t>(seed));
    std::vector<int64_t> places = spread(dataset->size(), n);
    return dataset_source_at(std::move(dataset), std::move(places), static_cast<uint64_t>(seed));
}

}  // namespace ddpm::cli
