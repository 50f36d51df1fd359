#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/defaults.h"
#include "cli/eval_flags.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/files.h"
#include "ddpm/eval/bpd.h"
#include "ddpm/eval/source.h"
#include "ddpm/image/codec.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/report/plot.h"
#include "ddpm/report/progress.h"
#include "ddpm/sampling/spacing.h"

namespace ddpm::cli {

namespace {

struct BpdFlags : EvalFlags {
    std::string csv, plot, variance, cdf = "exact";
    int64_t steps = 0;  // 0: all
};

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
        std::printf("standard error  %.4f (%lld images)\n", bound.standard_error(), static_cast<long long>(bound.images()));
    else
        std::printf("standard error  unknown (1 image)\n");
    std::printf("prior           %.3e\nL_0             %.4f\n", bound.prior(), bound.vb().front());
}

// Returns the mean over the pictures of the bound of the chain over `schedule`.
BoundMean measure(const Model& model, const ImageSource& pictures, const NoiseSchedule& schedule, const BoundSettings& settings,
                  const BpdFlags& flags, const Runtime& runtime) {
    const Network network = [&](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        return model.network->forward(x_t, t, y).to(x_t.scalar_type());
    };
    const int64_t S = schedule.size();
    check_prediction_at(schedule.level(S - 1), model.prediction_type);
    const SampleOptions sampling = with_defaults(model.sampling);
    const NetworkDenoiser unclipped(network, model.prediction_type, model.predicts_variance);
    const ClippedDenoiser clipped(unclipped, *sampling.clip_range, ClippedEps::rederived);
    const Denoiser& denoiser = *sampling.clip ? static_cast<const Denoiser&>(clipped) : unclipped;

    Progress progress("evaluating", pictures.count * S, "image steps");
    BoundMean bound;
    for (int64_t first = 0; first < pictures.count; first += flags.batch) {
        const int64_t count = std::min(flags.batch, pictures.count - first);
        const ImageBatch batch = pictures.read(first, count);
        const at::Tensor x_start = to_x_start(batch.pixels).to(runtime.device);
        const at::Tensor y = model.network->config().has_classes() ? batch.labels.to(runtime.device) : at::Tensor();
        bound.add(bound_terms(denoiser, schedule, x_start, y, settings,
                              bound_noise(static_cast<uint64_t>(flags.seed), first, count, x_start.sizes().slice(1).vec()),
                              [&](int64_t done) {
                                  progress.update(first * S + count * done);
                                  throw_if_stopped();
                              }));
    }
    if (!std::isfinite(bound.total()))
        runtime_failure(model.source +
                        ": the bound is not finite: the network's weights are damaged, or its training had diverged");
    progress.finish();
    return bound;
}

int run_bpd(const BpdFlags& flags) {
    flags.check("bpd");
    read_choice(flags.cdf, "--cdf", {"exact", "tanh"});
    if (!flags.variance.empty()) parse_variance_type(flags.variance);
    check_places({{"--csv", flags.csv, ResultKind::table}, {"--plot", flags.plot}});
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const Model model = naming_flags({{"ema_width", "--ema-width"}, {"ema_step", "--step"}}, [&] {
        return Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width, flags.ema_step});
    });
    const int64_t T = model.schedule.size(), S = flags.steps > 0 ? flags.steps : T;
    if (model.network->config().time_embedding_type == "fourier")
        user_error(model.source + ": its Fourier embedding takes the logarithm of t, and the bound has a term at t = 0");
    // linspace keeps both ends: t = 0, whose term is the likelihood, and T − 1, the t of the prior.
    const NoiseSchedule schedule = model.schedule.respaced(spaced_timesteps("linspace", T, S, 0));

    const ImageSource pictures = flags.open_pictures(model, runtime.threads);
    const SampleOptions sampling = with_defaults(model.sampling);
    const std::string variance = flags.variance.empty() ? *sampling.variance : flags.variance;
    const BoundSettings settings{parse_variance_type(variance), flags.cdf == "exact" ? NormalCdf::exact : NormalCdf::tanh};
    naming_flags({{"sample.variance", "--variance"}}, [&] { check_variance(settings.variance, model); });
    spdlog::info("{}: {} of {}, {} terms, {}, seed {}, on {}", model.source, pictures.count, pictures.description, S, variance,
                 flags.seed, describe(runtime));
    if (sampling.guidance_scale != 1.0) spdlog::info("sample.guidance_scale: the bound is that of the network without guidance");
    ignore_sigpipe();
    catch_stop_signals();
    const BoundMean bound = measure(model, pictures, schedule, settings, flags, runtime);
    print_bound(bound);
    if (!flags.csv.empty()) write_file(flags.csv, as_csv(schedule.original_t(), bound));
    if (!flags.plot.empty()) write_png(flags.plot, plot_terms(schedule.original_t(), bound), software_text());
    for (const std::string& file : {flags.csv, flags.plot})
        if (!file.empty()) spdlog::info("wrote {}", file);
    return 0;
}

}  // namespace

std::function<int()> add_eval_bpd(CLI::App& command) {
    auto flags = std::make_shared<BpdFlags>();
    flags->add(command);
    command.add_option("--steps", flags->steps, "bound of the chain over so many timesteps (default: all)")
        ->check(integer_in(1, 1000000));
    command.add_option("--csv", flags->csv, "write each term and the errors of x_0 and epsilon at each t to this file");
    command.add_option("--plot", flags->plot, "write them as curves to this PNG");
    command.add_option("--variance", flags->variance,
                       "of the reverse step: " + join(variance_type_names()) + " (default: as the checkpoint says)");
    add_with_default(command, "--cdf", flags->cdf,
                     "of the normal distribution: exact, or tanh as in Ho et al.'s and OpenAI's code");
    return [flags] { return run_bpd(*flags); };
}

}  // namespace ddpm::cli
