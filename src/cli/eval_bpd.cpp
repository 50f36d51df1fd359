#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include <ATen/ATen.h>
#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "cli/config.h"
#include "cli/defaults.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/run_flags.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/files.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/eval/bpd.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/pixels.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/report/plot.h"
#include "ddpm/report/progress.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/sampling/spacing.h"

namespace ddpm {

namespace {

struct BpdFlags : RunFlags {
    std::string ckpt, data, split, csv, plot, variance, cdf = "exact";
    int64_t n = 64, seed = 0, batch = 64, steps = 0;
};

struct Pictures {
    std::unique_ptr<Dataset> dataset;
    int64_t count = 0;  // of them, spread evenly over the data set, which may be sorted by class
    uint64_t seed = 0;  // of what is drawn at random when they are read (flip, crop)
    std::vector<int64_t> label_of{};  // the model's label for each of the data set's

    int64_t index(int64_t i) const { return i * dataset->size() / count; }
};

// The data set that was asked for, or else that the checkpoint was trained on.
std::unique_ptr<Dataset> open_data(const BpdFlags& flags, const Model& model, int threads) {
    DatasetOptions options;
    int64_t seed = 0;
    std::error_code ignored;
    if (flags.data.empty()) {
        if (!has_training(model.source))
            user_error(model.source + ": doesn't say which data it was trained on",
                       "give --data CONFIG or --data FOLDER");
        const Json config = training_config(model.source);
        if (config.contains("dataset")) dataset_fields().read(options, config["dataset"], model.source + ": dataset");
        if (config.contains("seed")) seed = read_integer(config["seed"], model.source + ": seed", Range::at_least(0));
    } else if (fs::is_directory(flags.data, ignored)) {
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
    auto dataset = open_dataset(options, static_cast<uint64_t>(seed), threads);
    const auto classes = static_cast<int64_t>(dataset->class_names().size());
    if (model.network->config().has_classes() && (classes == 0 || classes > model.network->config().num_class_embeds))
        user_error(fmt::format("--data: {} classes, but the model knows {}; its pictures need labels of that model",
                               classes, model.classes()));
    return dataset;
}

// Classes are matched by name where both have names, else by number.
std::vector<int64_t> match_labels(const Dataset& dataset, const Model& model) {
    std::vector<int64_t> labels;
    for (const std::string& name : dataset.class_names()) {
        const auto& known = model.class_names;
        const auto found = std::find(known.begin(), known.end(), name);
        if (!known.empty() && found == known.end())
            user_error("--data: " + unknown_name("class", name, known));
        labels.push_back(known.empty() ? static_cast<int64_t>(labels.size()) : found - known.begin());
    }
    return labels;
}

struct LabelledBatch {
    at::Tensor x_start, y;
};

LabelledBatch read_pictures(const Pictures& pictures, int64_t first, int64_t count) {
    const Dataset& dataset = *pictures.dataset;
    LabelledBatch batch{at::empty({count, dataset.channels(), dataset.height(), dataset.width()}, at::kFloat),
                        at::empty({count}, at::kLong)};
    std::vector<uint8_t> pixels(static_cast<size_t>(dataset.height() * dataset.width() * dataset.channels()));
    for (int64_t i = 0; i < count; ++i) {
        RandomStream augmentation(pictures.seed, Purpose::augmentation, static_cast<uint64_t>(first + i));
        const int64_t label = dataset.read(pictures.index(first + i), augmentation, pixels.data());
        batch.y[i] = label < 0 || pictures.label_of.empty() ? label : pictures.label_of[static_cast<size_t>(label)];
        to_signed_unit(pixels.data(), static_cast<int>(dataset.height()), static_cast<int>(dataset.width()),
                       static_cast<int>(dataset.channels()), batch.x_start[i].mutable_data_ptr<float>());
    }
    return batch;
}

std::string as_csv(const std::vector<int64_t>& t, const BoundMean& bound) {
    const std::vector<double> vb = bound.vb(), x_start_mse = bound.x_start_mse(), eps_mse = bound.eps_mse();
    std::string csv = "t,vb,x_start_mse,eps_mse\n";
    for (size_t i = 0; i < t.size(); ++i)
        csv += fmt::format("{},{:.17g},{:.17g},{:.17g}\n", t[i], vb[i], x_start_mse[i], eps_mse[i]);
    return csv;
}

Image plot_terms(const std::vector<int64_t>& t, const BoundMean& bound) {
    const std::vector<double> ts(t.begin(), t.end());
    std::vector<LinePlot> plots;
    const auto add = [&](const char* title, const std::vector<double>& values) {
        LinePlot plot;
        plot.title = title;
        plot.x_label = "t";
        plot.log_y = true;
        plot.series.push_back({"", ts, values});
        plots.push_back(std::move(plot));
    };
    add("term of the bound (bits/dim)", bound.vb());
    add("squared error of x₀", bound.x_start_mse());
    add("squared error of ε", bound.eps_mse());
    return draw_plots(plots, 3);
}

void print_bound(const BoundMean& bound) {
    std::printf("total           %.4f bits/dim\n", bound.total());
    if (bound.images() > 1)
        std::printf("standard error  %.4f (%lld images)\n", bound.standard_error(),
                    static_cast<long long>(bound.images()));
    else
        std::printf("standard error  unknown (1 image)\n");
    std::printf("prior           %.3e\nL_0             %.4f\n", bound.prior(), bound.vb().front());
}

int run_bpd(const BpdFlags& flags) {
    if (flags.ckpt.empty())
        user_error("eval bpd: which checkpoint? give --ckpt FOLDER", "for example: ddpm eval bpd --ckpt runs/shapes");
    flags.check_names();
    read_choice(flags.cdf, "--cdf", {"exact", "tanh"});
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    if (!flags.variance.empty()) parse_variance_type(flags.variance);
    check_places({{"--csv", flags.csv, Written::table}, {"--plot", flags.plot}});
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const Model model = Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels});
    const int64_t T = model.schedule.size(), S = flags.steps > 0 ? flags.steps : T;
    if (model.network->config().time_embedding_type == "fourier")
        user_error(model.source + ": its Fourier embedding takes the logarithm of t, and the bound has a term at t = 0");
    // linspace keeps both ends: the term that is a likelihood, and the prior's t.
    const NoiseSchedule schedule = model.schedule.respaced(spaced_timesteps("linspace", T, S, 0));

    Pictures pictures{open_data(flags, model, runtime.threads)};
    if (model.network->config().has_classes() && !model.network->config().num_class_embeds)
        user_error(model.source + ": its labels are numbers like times, and no data set here has such");
    if (model.network->config().has_classes()) pictures.label_of = match_labels(*pictures.dataset, model);
    pictures.count = std::min(flags.n, pictures.dataset->size());
    pictures.seed = static_cast<uint64_t>(flags.seed);
    const std::string variance =
        flags.variance.empty() ? model.sampling.variance.value_or("fixed_small") : flags.variance;
    const BoundSettings settings{parse_variance_type(variance),
                                 flags.cdf == "exact" ? NormalCdf::exact : NormalCdf::tanh};
    naming_flags({{"sample.variance", "--variance"}}, [&] { check_variance(settings.variance, model); });
    spdlog::info("{}: {} of {} pictures of {}, {} terms, {}, seed {}, on {}", model.source, pictures.count,
                 pictures.dataset->size(), pictures.dataset->describe(), S, variance, flags.seed, describe(runtime));

    const Network network = [&](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        return model.network->forward(x_t, t, y).to(x_t.scalar_type());
    };
    const NetworkDenoiser unclipped(network, schedule, model.prediction_type, model.predicts_variance);
    const ClippedDenoiser clipped(unclipped, model.sampling.clip_range.value_or(1), ClippedEps::rederived);
    const Denoiser& denoiser = model.sampling.clip.value_or(true) ? static_cast<const Denoiser&>(clipped) : unclipped;

    catch_stop_signals();
    Progress progress("evaluating", pictures.count * S, "image steps");
    BoundMean bound;
    for (int64_t first = 0; first < pictures.count; first += flags.batch) {
        const int64_t count = std::min(flags.batch, pictures.count - first);
        const LabelledBatch batch = read_pictures(pictures, first, count);
        const at::Tensor x_start = batch.x_start.to(runtime.device);
        const at::Tensor y = model.network->config().has_classes() ? batch.y.to(runtime.device) : at::Tensor();
        bound.add(
            bound_terms(denoiser, x_start, y, settings,
                        bound_noise(static_cast<uint64_t>(flags.seed), first, count, x_start.sizes().slice(1).vec()),
                        [&](int64_t done) {
                            progress.update(first * S + count * done);
                            throw_if_stopped();
                        }));
    }
    if (!std::isfinite(bound.total()))
        runtime_failure(model.source + ": the bound is not finite: the network's weights are damaged, or its training had diverged");
    progress.finish();
    print_bound(bound);
    if (!flags.csv.empty()) write_file(flags.csv, as_csv(schedule.original_t(), bound));
    if (!flags.plot.empty()) write_png(flags.plot, plot_terms(schedule.original_t(), bound));
    for (const std::string& file : {flags.csv, flags.plot})
        if (!file.empty()) spdlog::info("wrote {}", file);
    return 0;
}

}  // namespace

std::function<int()> add_eval_bpd(CLI::App& command) {
    auto flags = std::make_shared<BpdFlags>();
    command.add_option("--ckpt", flags->ckpt, "a run, a checkpoint, or a DDPM pipeline folder of diffusers");
    command.add_option("--data", flags->data,
                       "a configuration (JSON) or a folder of pictures (default: what the checkpoint was trained on)");
    command.add_option("--split", flags->split,
                       "of cifar10 or mnist: train or test (default: as the data set is configured)");
    add_with_default(command, "--n", flags->n, "how many pictures, spread evenly over the data set")
        ->check(integer_in(1, 100000000));
    command.add_option("--steps", flags->steps, "bound of the chain over so many timesteps (default: all)")
        ->check(integer_in(1, 1000000));
    command.add_option("--csv", flags->csv, "write each term and the errors of x_0 and epsilon at each t to this file");
    command.add_option("--plot", flags->plot, "write them as curves to this PNG");
    command.add_option("--variance", flags->variance,
                       "of the reverse step: " + join(variance_type_names()) + " (default: as the checkpoint says)");
    add_with_default(command, "--cdf", flags->cdf,
                     "of the normal distribution: exact, or tanh as in Ho et al.'s and OpenAI's code");
    add_with_default(command, "--seed", flags->seed, "of the noise")->check(integer_in(0));
    add_with_default(command, "--batch", flags->batch, "pictures at a time")->check(integer_in(1, 100000));
    flags->add_weights(command);
    flags->add_machine(command);
    return [flags] { return run_bpd(*flags); };
}

}  // namespace ddpm
