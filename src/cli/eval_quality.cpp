#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/defaults.h"
#include "cli/eval_checkpoints.h"
#include "cli/eval_flags.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/judged_reference.h"
#include "cli/judged_samples.h"
#include "cli/judging.h"
#include "cli/places.h"
#include "cli/quality_result.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/clock.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/quality.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

namespace {

struct QualityFlags : EvalFlags {
    std::string samples, ref, features = kDefaultFeatures, metrics = kDefaultMetrics, json, plot;
    std::optional<int64_t> count;  // --n
    int64_t real = kRealPictures;
    bool every_checkpoint = false;
    SamplingFlags sampling;
};

void check(const QualityFlags& flags) {
    if (flags.ckpt.empty() == flags.samples.empty())
        user_error("eval quality: of what? give either --ckpt FOLDER or --samples FOLDER or FILE.npz",
                   "for example: ddpm eval quality --ckpt runs/shapes");
    flags.check_names();
    read_metrics_flag(flags.metrics);
    naming_flag("--features", [&] { read_feature_choice(flags.features); });
    flags.sampling.options();
    if (!flags.data.empty()) expect_data_source(flags.data);
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    flags.check_set();
    if (!flags.samples.empty() && flags.data.empty() && flags.ref.empty())
        user_error("--samples: is judged beside real pictures; give --data CONFIG, --data FOLDER or --ref FILE.npz too");
    if (!flags.samples.empty()) check_samples(flags.samples);
    if (!flags.json.empty()) check_quality_json(flags.json);
    if (flags.every_checkpoint) return check_every_checkpoint(flags, !flags.samples.empty(), flags.metrics, flags.plot);
    if (!flags.plot.empty()) user_error("--plot: draws the numbers over the checkpoints; give --every-checkpoint too");
}

PictureFormat format_of(const DatasetOptions& options) { return {options.channels, options.height, options.width}; }

// Judges samples in the format of `format`.
int judge_samples(const QualityFlags& flags, const JudgedSamples& samples, const RealPictures& pictures,
                  const PictureFormat& format, c10::Device device) {
    const std::vector<QualityMetric> metrics = read_metrics_flag(flags.metrics);
    if (samples.count < kFewestSamples)
        user_error(fmt::format("--n: got {}, expected {} or more: an interval is measured by leaving out tenths", samples.count,
                               kFewestSamples));
    std::unique_ptr<Features> features = naming_flag("--features", [&] { return make_features(flags.features, format, device); });
    check_reference(pictures, *features, metrics);
    spdlog::info("{}, beside {}", samples.description, pictures.description());
    spdlog::info("features {}", features->protocol().line());
    ignore_sigpipe();
    catch_stop_signals();
    const std::unique_ptr<const Judge> read = read_judge(std::move(features), pictures, samples.count, flags.batch);
    const Judge& judge = *read;
    const double begin = steady_seconds();
    const at::Tensor raw = features_of_samples(judge.features(), samples, flags.batch);
    const double seconds = steady_seconds() - begin;
    const std::vector<QualityNumber> numbers = judge.measure(raw, metrics, throw_if_stopped);
    std::printf(
        "%lld samples beside %s\n", static_cast<long long>(samples.count),
        judge.real().count() > 0 ? fmt::format("{} real pictures", judge.real().count()).c_str() : "a reference of real pictures");
    print_quality(numbers);
    std::printf("%s\n", verdict_of(numbers.front()).c_str());
    spdlog::info(kTrust);
    if (flags.json.empty()) return 0;
    write_file(flags.json, dump_json(quality_json(numbers, judge.features().protocol(), judge.real(), samples, seconds)) + "\n");
    spdlog::info("wrote {}", flags.json);
    return 0;
}

int run_quality(const QualityFlags& flags) {
    check(flags);
    if (flags.every_checkpoint)
        return judge_every_checkpoint(flags, {.judging = {flags.features, flags.metrics, flags.ref, flags.real},
                                              .sampling = flags.sampling.options(),
                                              .n = flags.count.value_or(kJudgedSamples),
                                              .json = flags.json,
                                              .plot = flags.plot});
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const GivenReference reference = open_reference(flags.ref, flags.features);
    if (!flags.samples.empty()) {
        const DatasetOptions format = data_of_samples(flags, flags.samples, reference.format()).options;
        const JudgedSamples samples = read_samples(flags.samples, flags.count, format, runtime.threads);
        return judge_samples(flags, samples,
                             open_real(flags, reference, nullptr, format, samples.count, flags.real, runtime.threads),
                             format_of(format), runtime.device);
    }
    const Model model = naming_flags({{"ema_width", "--ema-width"}, {"ema_step", "--step"}}, [&] {
        return Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width, flags.ema_step});
    });
    flags.sampling.settle(model);
    const JudgedSamples samples = samples_of_model(flags, flags.sampling.options(), flags.count.value_or(kJudgedSamples), model,
                                                   settle_precision(flags.precision, kernels, runtime.device.is_cpu()));
    return judge_samples(flags, samples, open_real(flags, reference, &model, {}, samples.count, flags.real, runtime.threads),
                         {model.channels(), model.height, model.width}, runtime.device);
}

}  // namespace

std::function<int()> add_eval_quality(CLI::App& command) {
    auto flags = std::make_shared<QualityFlags>();
    std::vector<std::string> metrics, features;
    for (const QualityMetric& metric : quality_metrics()) metrics.push_back(metric.name + " (" + metric.summary + ")");
    for (const FeatureKind& kind : feature_kinds())
        features.push_back(kind.name + (kind.takes_file ? ":FILE (" : " (") + kind.summary + ")");
    command.add_option("--ckpt", flags->ckpt, "draw from this run, checkpoint or pipeline folder of diffusers");
    command.add_option("--samples", flags->samples, "judge the pictures of this folder, or of this .npz file, instead");
    command.add_option("--data", flags->data,
                       "real pictures: a configuration (JSON) or a folder (default: what the checkpoint was trained on)");
    command.add_option(
        "--ref", flags->ref,
        "statistics of real pictures (.npz of `ddpm eval stats`, pytorch-fid, clean-fid, EDM, guided-diffusion) as the "
        "reference; the pictures of --data are the floor then");
    flags->add_set(command);
    command.add_option("--split", flags->split, "of cifar10 or mnist: train or test (default: as the data set is configured)");
    command
        .add_option("--n", flags->count, fmt::format("samples (default: {} of a model, all pictures of --samples)", kJudgedSamples))
        ->check(integer_in(kFewestSamples, 1000000));
    add_with_default(command, "--real", flags->real,
                     "real pictures of the reference; as many as samples are kept apart for the floor")
        ->check(integer_in(kFewestSamples, 1000000));
    add_with_default(command, "--features", flags->features, "what is compared: " + join(features));
    add_with_default(command, "--metrics", flags->metrics, "between commas, the first one decides: " + join(metrics));
    command.add_option("--json", flags->json, "write numbers, protocol and what was sampled to this file");
    command.add_flag(
        "--every-checkpoint", flags->every_checkpoint,
        "judge every checkpoint of the run from the same noise: which is the best, and which are not told apart from it");
    command.add_option("--plot", flags->plot, "--every-checkpoint: write the numbers over the steps to this PNG");
    add_with_default(command, "--seed", flags->seed, "sample i follows from (seed, i)")->check(integer_in(0));
    add_with_default(command, "--batch", flags->batch, "pictures at a time")->check(integer_in(1, 100000));
    flags->sampling.add(command);
    flags->add_weights(command);
    flags->add_ema_step(command);
    flags->add_precision(command);
    flags->add_machine(command);
    return [flags] { return run_quality(*flags); };
}

}  // namespace ddpm::cli
