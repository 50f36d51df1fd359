#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/defaults.h"
#include "cli/eval_flags.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/judging.h"
#include "cli/places.h"
#include "cli/result_folder.h"
#include "cli/sampling_flags.h"
#include "cli/sweep_rows.h"
#include "cli/swept.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm::cli {

namespace {

const ResultFolder kSweep{"ddpm eval sweep", "sweep", "sweep.json", {"sweep.csv", "sweep.md"}, {"pareto.png", "samples.png"}};

struct SweepFlags : EvalFlags {
    std::string samplers = "ddim,dpmpp_2m,unipc", checkpoints, ema_widths, out;
    std::optional<std::string> steps;
    SweptJudging judging{kDefaultFeatures, kDefaultMetrics, "", kRealPictures};
    bool overwrite = false;
    SamplingFlags sampling;

    SweepFlags() { n = kJudgedSamples; }
};

// Refuses contradictions about which networks are taken.
void check_models(const SweepFlags& flags) {
    RunFlags named = flags;
    if (!flags.ema_widths.empty()) named.ema_step.reset();  // belongs to --ema-widths too
    named.check_names();
    if (!flags.checkpoints.empty() && !flags.ema_widths.empty())
        user_error("--checkpoints and --ema-widths contradict each other: an average has snapshots of its own; give one");
    if (flags.ema_width && !(flags.checkpoints.empty() && flags.ema_widths.empty()))
        user_error(fmt::format("--ema-width: names one average, but {} names what is swept over; leave one out",
                               flags.checkpoints.empty() ? "--ema-widths" : "--checkpoints"));
    if (!flags.ema_widths.empty() && flags.weights == "raw")
        user_error("--ema-widths and --weights raw contradict each other; give one");
}

// Refuses wrong flags before anything is loaded.
void check(const SweepFlags& flags) {
    if (flags.ckpt.empty())
        user_error("eval sweep: which checkpoint? give --ckpt FOLDER",
                   "for example: ddpm eval sweep --ckpt runs/shapes --samplers ddim,unipc --steps 5,10,20 --out swept");
    check_models(flags);
    read_sweep_rows(flags.samplers, flags.steps);
    read_ranking_metrics(flags.judging.metrics);
    naming_flag("--features", [&] { read_feature_choice(flags.judging.features); });
    flags.sampling.options();
    if (!flags.data.empty()) expect_data_source(flags.data);
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    flags.check_set();
    if (flags.out.empty() && flags.overwrite) user_error("--overwrite: replaces the folder of --out; give that too");
    if (!flags.out.empty()) check_result_folder(kSweep, flags.out, flags.overwrite);
}

std::vector<SweptModel> models_of(const SweepFlags& flags) {
    if (!flags.ema_widths.empty()) return swept_averages(flags.ckpt, flags.ema_widths, flags.ema_step);
    if (!flags.checkpoints.empty()) return swept_checkpoints(flags.ckpt, flags.checkpoints, flags.weights, "--checkpoints");
    return {{.path = flags.ckpt, .ema_width = flags.ema_width, .ema_step = flags.ema_step, .width_flag = "--ema-width"}};
}

// Settles the rows with the first model, for which alone they are refused: all models are of one run.
void settle_rows(SweepRows& rows, const SampleOptions& shared, const Model& model) {
    const int64_t steps = rows.fewest_steps();
    put_rows_over(rows.rows, shared, {model, nullptr}, steps);
    check_rows_differ(rows.rows, steps, {model, nullptr});
}

// Warns of what the rows leave out and of what the first model's cells take otherwise than asked.
void tell(const Swept& swept) {
    for (const CompareRow& row : swept.rows)
        for (const std::string& flag : row.unread) spdlog::warn("{} does not read {}", row.text, flag);
    for (const SweptCell& cell : swept.cells)
        if (cell.model == 0 && !cell.settings.notice.empty())
            spdlog::warn("{}: {}", swept.rows[cell.row].text, cell.settings.notice);
}

void settle_cells(Swept& swept, const SweepRows& rows, const Model& model, size_t index) {
    for (size_t row = 0; row < rows.rows.size(); ++row)
        for (const int64_t steps : rows.steps[row]) {
            SweptCell& cell = swept.cells.emplace_back();
            cell.model = index;
            cell.row = row;
            cell.asked = rows.rows[row].in(steps);
            cell.settings = rows.settle(row, steps, model);
        }
}

void write_sweep(StagedFolder& staged, const Swept& swept) {
    write_file(staged.path() / kSweep.json, swept_as_json(swept, kSweep.verb) + "\n");
    write_file(staged.path() / "sweep.csv", swept_as_csv(swept));
    write_file(staged.path() / "sweep.md", swept_as_markdown(swept));
    write_png(staged.path() / "pareto.png", draw_pareto(swept), software_text());
    write_png(staged.path() / "samples.png", draw_swept_samples(swept), software_text());
}

int run_sweep(const SweepFlags& flags) {
    check(flags);
    Swept swept{.ckpt = flags.ckpt, .seed = flags.seed, .n = flags.n, .batch = flags.batch};
    swept.models = models_of(flags);
    SweepRows rows = read_sweep_rows(flags.samplers, flags.steps);
    const Runtime runtime = flags.start();
    SweptReady ready = settle_swept(swept, flags, flags.judging, runtime, [&](const Model& model, size_t index) {
        if (index == 0) settle_rows(rows, flags.sampling.options(), model);
        settle_cells(swept, rows, model, index);
    });
    swept.rows = rows.rows;
    tell(swept);
    std::optional<StagedFolder> staged;
    const fs::path target = flags.out.empty() ? fs::path() : place_of_folder(flags.out);
    if (!flags.out.empty()) {
        make_folders(target.parent_path());
        staged.emplace(target);
    }
    judge_swept(swept, std::move(ready));
    print_swept(swept);
    spdlog::info(kTrust);
    if (!staged) return 0;
    write_sweep(*staged, swept);
    const fs::path place = commit_result_folder(kSweep, *staged, target, flags.overwrite);
    spdlog::info("wrote {}", fs::equivalent(place, flags.out) ? flags.out : place.string());
    return 0;
}

}  // namespace

std::function<int()> add_eval_sweep(CLI::App& command) {
    auto flags = std::make_shared<SweepFlags>();
    command.add_option("--ckpt", flags->ckpt, "a run, a checkpoint or a pipeline folder of diffusers");
    add_with_default(command, "--samplers", flags->samplers,
                     "names between commas, each perhaps with keys and with numbers of steps of its own, as "
                     "ddim:eta=0.5,unipc:8,16,ancestral:1000");
    command.add_option(
        "--steps", flags->steps,
        "numbers of steps between commas, of the samplers that name none (default: " + std::string(kSweepSteps) + ")");
    command.add_option("--checkpoints", flags->checkpoints, "of a run: all, or steps between commas");
    command.add_option(
        "--ema-widths", flags->ema_widths,
        "of a run with train.ema_widths: averages of these widths, between commas, rebuilt from the snapshots in ema/");
    command.add_option("--data", flags->data,
                       "real pictures: a configuration (JSON) or a folder (default: what the checkpoint was trained on)");
    command.add_option("--ref", flags->judging.ref,
                       "statistics of real pictures as the reference, as `ddpm eval quality` takes them");
    flags->add_set(command);
    command.add_option("--split", flags->split, "of cifar10 or mnist: train or test (default: as the data set is configured)");
    add_with_default(command, "--n", flags->n, "samples of each cell")->check(integer_in(kFewestSamples, 1000000));
    add_with_default(command, "--real", flags->judging.real,
                     "real pictures of the reference; as many as samples are kept apart for the floor")
        ->check(integer_in(kFewestSamples, 1000000));
    std::vector<std::string> metrics, features;
    for (const QualityMetric& metric : quality_metrics()) metrics.push_back(metric.name);
    for (const FeatureKind& kind : feature_kinds()) features.push_back(kind.name);
    add_with_default(command, "--features", flags->judging.features, "what is compared: " + join(features));
    add_with_default(command, "--metrics", flags->judging.metrics, "between commas, the first one ranks: " + join(metrics));
    command.add_option("--out", flags->out,
                       "also write sweep.csv, sweep.json, sweep.md, pareto.png and samples.png into this folder");
    command.add_flag("--overwrite", flags->overwrite, "replace an earlier sweep in the folder");
    add_with_default(command, "--seed", flags->seed, "sample i follows from (seed, i)")->check(integer_in(0));
    add_with_default(command, "--batch", flags->batch, "pictures at a time")->check(integer_in(1, 100000));
    flags->sampling.add_without_steps(command);
    flags->add_weights(command);
    flags->add_ema_step(command);
    flags->add_precision(command);
    flags->add_machine(command);
    return [flags] { return run_sweep(*flags); };
}

}  // namespace ddpm::cli
