#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/defaults.h"
#include "cli/eval_flags.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/judged_samples.h"
#include "cli/neighbours_data.h"
#include "cli/neighbours_result.h"
#include "cli/neighbours_search.h"
#include "cli/places.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/features.h"
#include "ddpm/image/codec.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kNeighbourSamples = 500;  // of a model, unless --n says how many

struct NeighboursFlags : EvalFlags {
    std::string samples, features = kDefaultFeatures, json, sheet, held_out_data;
    std::optional<int64_t> count;  // --n
    int64_t held_out = kNeighboursHeldOut;
    SamplingFlags sampling;
};

void check(const NeighboursFlags& flags) {
    if (flags.ckpt.empty() == flags.samples.empty())
        user_error("eval neighbours: of what? give either --ckpt FOLDER or --samples FOLDER or FILE.npz",
                   "for example: ddpm eval neighbours --ckpt runs/shapes");
    flags.check_names();
    naming_flag("--features", [&] { read_feature_choice(flags.features); });
    flags.sampling.options();
    if (!flags.data.empty()) expect_data_source(flags.data);
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    flags.check_set();
    if (!flags.samples.empty() && flags.data.empty())
        user_error("--samples: are looked for among training pictures; give --data CONFIG or --data FOLDER too");
    if (!flags.samples.empty()) check_samples(flags.samples);
    if (!flags.held_out_data.empty() && !is_folder(flags.held_out_data))
        user_error(fmt::format("--held-out-data: {}: is no folder, expected one with pictures", flags.held_out_data));
    check_places({{"--sheet", flags.sheet}});
    if (!flags.json.empty()) check_neighbours_json(flags.json);
    check_apart({{"--sheet", flags.sheet}, {"--json", flags.json}},
                {{"--samples", flags.samples}, {"--data", flags.data}, {"--held-out-data", flags.held_out_data}});
}

int judge_copies(const NeighboursFlags& flags, const JudgedSamples& samples, const NeighbourData& data, c10::Device device) {
    const PictureFormat format{data.training->channels(), data.training->height(), data.training->width()};
    const bool pixels_alone = flags.features == "pixel";
    const std::unique_ptr<Features> features =
        pixels_alone ? nullptr : naming_flag("--features", [&] { return make_features(flags.features, format, device); });
    spdlog::info("{}", samples.description);
    ignore_sigpipe();
    catch_stop_signals();
    search_neighbours(samples, data, features.get(), flags.batch, [&](const NeighboursFound& found, double seconds) {
        print_neighbours(found);
        if (!flags.json.empty()) write_file(flags.json, dump_json(neighbours_json(found, features.get(), seconds)) + "\n");
        if (!flags.sheet.empty()) write_png(flags.sheet, neighbours_sheet(found), software_text());
    });
    for (const std::string& file : {flags.json, flags.sheet})
        if (!file.empty()) spdlog::info("wrote {}", file);
    return 0;
}

int run_neighbours(const NeighboursFlags& flags) {
    check(flags);
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const auto open_data = [&](const NamedData& named) {
        check_apart({{"--sheet", flags.sheet}, {"--json", flags.json}},
                    {{"dataset.path", named.options.type == "image_folder" ? named.options.path : ""}});
        const auto open = [&] { return open_neighbour_data(named, flags.held_out_data, flags.held_out, runtime.threads); };
        return flags.split.empty() ? open() : naming_flags({{"dataset.split", "--split"}}, open);
    };
    if (!flags.samples.empty()) {
        const NamedData named = data_of_samples(flags, flags.samples);
        const JudgedSamples samples = read_samples(flags.samples, flags.count, named.options, runtime.threads);
        return judge_copies(flags, samples, open_data(named), runtime.device);
    }
    const Model model = naming_flags({{"ema_width", "--ema-width"}, {"ema_step", "--step"}}, [&] {
        return Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width, flags.ema_step});
    });
    flags.sampling.settle(model);
    const NeighbourData data = open_data(flags.data_of(model));
    const JudgedSamples samples = samples_of_model(flags, flags.sampling.options(), flags.count.value_or(kNeighbourSamples), model,
                                                   settle_precision(flags.precision, kernels, runtime.device.is_cpu()));
    return judge_copies(flags, samples, data, runtime.device);
}

}  // namespace

std::function<int()> add_eval_neighbours(CLI::App& command) {
    auto flags = std::make_shared<NeighboursFlags>();
    std::vector<std::string> features;
    for (const FeatureKind& kind : feature_kinds()) features.push_back(kind.name + " (" + kind.summary + ")");
    command.add_option("--ckpt", flags->ckpt, "draw from this run, checkpoint or pipeline folder of diffusers");
    command.add_option("--samples", flags->samples, "judge the pictures of this folder, or of this .npz file, instead");
    command.add_option("--data", flags->data,
                       "what the model was trained on: a configuration (JSON) or a folder (default: as the checkpoint says)");
    flags->add_set(command);
    command.add_option("--split", flags->split, "of cifar10 or mnist: train or test (default: as the data set is configured)");
    command
        .add_option("--n", flags->count,
                    fmt::format("samples (default: {} of a model, all pictures of a folder)", kNeighbourSamples))
        ->check(integer_in(1, 1000000));
    add_with_default(command, "--held-out", flags->held_out, "held-out pictures at most, spread evenly")
        ->check(integer_in(1, 1000000));
    command.add_option(
        "--held-out-data", flags->held_out_data,
        "a folder of pictures of the same kind that the model was not trained on (default: dataset.holdout; the other "
        "split of cifar10 or mnist; shapes after dataset.length)");
    add_with_default(command, "--features", flags->features, "what is compared besides pixels (pixel: nothing): " + join(features));
    command.add_option("--sheet", flags->sheet,
                       fmt::format("draw the {} most suspicious samples beside their nearest pictures to this PNG; "
                                   "`ddpm report` shows neighbours.png of a run's folder",
                                   kMostSuspicious));
    command.add_option("--json", flags->json, "write what was found, protocol and what was sampled to this file");
    add_with_default(command, "--seed", flags->seed, "sample i follows from (seed, i)")->check(integer_in(0));
    add_with_default(command, "--batch", flags->batch, "samples at a time")->check(integer_in(1, 100000));
    flags->sampling.add(command);
    flags->add_weights(command);
    flags->add_ema_step(command);
    flags->add_precision(command);
    flags->add_machine(command);
    return [flags] { return run_neighbours(*flags); };
}

}  // namespace ddpm::cli
