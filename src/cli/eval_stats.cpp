#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/config.h"
#include "cli/defaults.h"
#include "cli/eval_flags.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/quality.h"
#include "ddpm/eval/reference.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

struct StatsFlags : EvalFlags {
    std::string features = kDefaultFeatures, out;
    std::optional<int64_t> count, size;  // --n, --size
    bool overwrite = false;
};

// The pictures and their format.
struct OpenedPictures {
    ImageSource source;
    PictureFormat format;
};

void check_out(const StatsFlags& flags) {
    if (flags.out.empty()) user_error("eval stats: where to? give --out FILE.npz");
    check_places({{"--out", flags.out, ResultKind::arrays}});
    check_apart({{"--out", flags.out}}, {{"--data", flags.data}, {"--ckpt", flags.ckpt}});
    if (!is_present(flags.out)) return;
    if (!is_statistics(flags.out)) refuse_to_replace(flags.out, "is no file of `ddpm eval stats`", "choose another --out");
    if (!flags.overwrite) user_error(flags.out + ": is there already", "--overwrite replaces it, --out writes elsewhere");
}

void check(const StatsFlags& flags) {
    if (flags.data.empty() && flags.ckpt.empty())
        user_error("eval stats: of which pictures? give --data CONFIG, --data FOLDER or --ckpt FOLDER",
                   "for example: ddpm eval stats --data pictures --size 32 --out pictures.npz");
    flags.check_names();
    naming_flag("--features", [&] { read_feature_choice(flags.features); });
    if (!flags.data.empty()) expect_data_source(flags.data);
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    if (!flags.ckpt.empty()) flags.check_set();
    const bool is_of_folder = !flags.data.empty() && is_folder(flags.data);
    if (flags.size && !(is_of_folder && flags.ckpt.empty()))
        user_error("--size: belongs to --data FOLDER alone; a configuration has dataset.image_size (--set), a model its own size");
    bool sets_size = false;
    for (const std::string& assignment : flags.assignments) sets_size |= assignment.rfind("dataset.image_size=", 0) == 0;
    if (is_of_folder && flags.ckpt.empty() && !flags.size && !sets_size)
        user_error("--data: a folder of pictures, at which size? give --size N, or --ckpt FOLDER of the model that they are for");
    check_out(flags);
}

// Returns the data set of --data without a model.
Config data_config_of(const StatsFlags& flags) {
    if (!is_folder(flags.data)) return load_config(flags.data, flags.assignments);
    if (!is_utf8(flags.data))
        user_error(quote(flags.data) + ": a name that is not UTF-8, which no configuration can hold; rename the folder");
    std::vector<std::string> assignments{"dataset.type=image_folder", "dataset.path=" + Json(flags.data).dump()};
    if (flags.size) assignments.push_back(fmt::format("dataset.image_size={}", *flags.size));
    assignments.insert(assignments.end(), flags.assignments.begin(), flags.assignments.end());
    return read_assignments(assignments);
}

OpenedPictures open_without_model(const StatsFlags& flags, int threads) {
    const Config config = data_config_of(flags);
    DatasetOptions options = config.dataset;
    if (!flags.split.empty()) options.split = flags.split;
    take_as_they_are(options);
    const auto open = [&]() -> std::shared_ptr<const Dataset> {
        return open_dataset(options, static_cast<uint64_t>(config.seed), threads);
    };
    const std::shared_ptr<const Dataset> dataset =
        flags.split.empty() ? open() : naming_flags({{"dataset.split", "--split"}}, open);
    if (const std::string notes = dataset->notes(); !notes.empty()) spdlog::warn(notes);
    return {dataset_source_at(dataset, spread(dataset->size(), flags.n), 0), {options.channels, options.height, options.width}};
}

OpenedPictures open_with_model(const StatsFlags& flags, const Kernels& kernels, const Runtime& runtime) {
    const Model model = Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, {}, {}});
    return {flags.open_unlabelled(model, runtime.threads), {model.channels(), model.height, model.width}};
}

int run_stats(StatsFlags flags) {
    check(flags);
    flags.as_they_are = true;
    flags.n = flags.count.value_or(std::numeric_limits<int64_t>::max());
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const OpenedPictures pictures =
        flags.ckpt.empty() ? open_without_model(flags, runtime.threads) : open_with_model(flags, kernels, runtime);
    if (flags.count && *flags.count > pictures.source.count)
        user_error(fmt::format("--n: got {}, but there are {}", *flags.count, plural(pictures.source.count, "picture")));
    const std::unique_ptr<Features> features =
        naming_flag("--features", [&] { return make_features(flags.features, pictures.format, runtime.device); });
    check_columns(features->protocol());
    spdlog::info("{} of {}, not mirrored, cropped at the centre", plural(pictures.source.count, "picture"),
                 one_line(pictures.source.description));
    spdlog::info("features {}", features->protocol().line());
    ignore_sigpipe();
    catch_stop_signals();
    Progress reading("reading real pictures", pictures.source.count, "pictures");
    const ReferenceStatistics statistics = measure_statistics(*features, pictures.source, flags.batch, [&](int64_t done) {
        reading.update(done);
        throw_if_stopped();
    });
    reading.finish();
    write_statistics(flags.out, statistics);
    std::printf("%s: mean and covariance of %lld pictures, %lld numbers each\n", flags.out.c_str(),
                static_cast<long long>(statistics.n), static_cast<long long>(statistics.fit.mean.size(0)));
    if (!statistics.features.defined())
        spdlog::warn(
            "the features are too many to keep, more than {} numbers, so that only fd and fd_inf can be measured beside these "
            "statistics; --n takes fewer pictures",
            with_commas(kMostKeptNumbers));
    return 0;
}

}  // namespace

std::function<int()> add_eval_stats(CLI::App& command) {
    auto flags = std::make_shared<StatsFlags>();
    std::vector<std::string> features;
    for (const FeatureKind& kind : feature_kinds()) features.push_back(kind.name + " (" + kind.summary + ")");
    command.add_option("--data", flags->data,
                       "real pictures: a configuration (JSON) or a folder (default: what the checkpoint was trained on)");
    command.add_option("--ckpt", flags->ckpt, "take pictures in the size of this model");
    command.add_option("--split", flags->split, "of cifar10 or mnist: train or test (default: as the data set is configured)");
    command.add_option("--size", flags->size, "read the pictures of a folder at this height and width")->check(integer_in(1, 8192));
    command.add_option("--set", flags->assignments, "section.key=value: change one setting of the data; may be given again")
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--n", flags->count, "pictures, spread evenly over the data set (default: all)")
        ->check(integer_in(2, 100000000));
    add_with_default(command, "--features", flags->features, "what is measured: " + join(features));
    command.add_option("--out", flags->out, "the file to write (.npz)");
    command.add_flag("--overwrite", flags->overwrite, "replace such a file");
    add_with_default(command, "--batch", flags->batch, "pictures at a time")->check(integer_in(1, 100000));
    flags->add_machine(command);
    return [flags] { return run_stats(*flags); };
}

}  // namespace ddpm::cli
