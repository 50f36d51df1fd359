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
    DatasetOptions options;
    int64_t seed = 0;
    if (flags.data.empty()) {
        if (model.config.is_null())
            user_error(model.source + ": doesn't say which data it was trained on", "give --data CONFIG or --data FOLDER");
        dataset_fields().read_written(options, model.config.value("dataset", Json::object()), model.source + ": dataset");
        if (model.config.contains("seed")) seed = read_integer(model.config["seed"], model.source + ": seed", Range::at_least(0));
        if (!options.path.empty() && !is_present(options.path))
            user_error(fmt::format("{}: not found, and {} was trained on what lay there", options.path, model.source),
                       "where the pictures have moved, --data FOLDER or --data CONFIG says where they are");
    } else if (is_folder(flags.data)) {
        options.type = "image_folder";
        options.path = flags.data;
        options.height = model.height;
        options.width = model.width;
        options.channels = model.network->config().in_channels;
    } else {
        const Config config = load_config(flags.data, {});
        options = config.dataset;
        seed = config.seed;
    }
    if (!flags.split.empty()) options.split = flags.split;
    const int64_t channels = model.network->config().in_channels;
    if (options.height != model.height || options.width != model.width || options.channels != channels)
        user_error(
            fmt::format("--data: pictures of {}x{} with {} channels, but the model is for {}x{} with {}; set "
                        "dataset.image_size and dataset.channels in the configuration",
                        options.width, options.height, options.channels, model.width, model.height, channels));
    const auto open = [&]() -> std::shared_ptr<const Dataset> {
        return open_dataset(options, static_cast<uint64_t>(seed), threads);
    };
    const std::shared_ptr<const Dataset> dataset =
        flags.split.empty() ? open() : naming_flags({{"dataset.split", "--split"}}, open);
    const auto classes = static_cast<int64_t>(dataset->class_names().size());
    if (labelled && model.network->config().has_classes() && (classes == 0 || classes > model.network->config().num_class_embeds))
        user_error(fmt::format("--data: {} classes, but the model knows {}; its pictures need labels of that model", classes,
                               model.classes()));
    if (const std::string notes = dataset->notes(); !notes.empty()) spdlog::warn(notes);
    return {dataset, options.type};
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

void EvalFlags::check(const std::string& evaluation) const {
    if (ckpt.empty())
        user_error(fmt::format("eval {}: which checkpoint? give --ckpt FOLDER", evaluation),
                   fmt::format("for example: ddpm eval {} --ckpt runs/shapes", evaluation));
    check_names();
    if (!data.empty()) expect_data_source(data);
    if (!split.empty()) read_choice(split, "--split", {"train", "test"});
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
    return dataset_source(open_data(*this, model, threads, false).dataset, n, static_cast<uint64_t>(seed));
}

}  // namespace ddpm::cli
