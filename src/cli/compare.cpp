#include <algorithm>
#include <memory>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/compare_files.h"
#include "cli/compare_rows.h"
#include "cli/defaults.h"
#include "cli/eval_flags.h"
#include "cli/places.h"
#include "cli/run_flags.h"
#include "cli/sample_words.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kReferenceSteps = 200;  // unless --reference-steps says how many, or the schedule has fewer
constexpr int64_t kShown = 16;            // pictures in a cell of the sheet

struct CompareFlags : RunFlags {
    std::string ckpt, samplers = "ddim,dpmpp_2m,unipc,heun", steps = "5,10,20,50", out = "compared", data, split;
    int64_t n = 64, seed = 0, batch = 64;
    std::optional<int64_t> reference_steps;
    bool overwrite = false;
    SamplingFlags sampling;

    std::optional<ImageSource> open_data(const Model& model, int threads) const {
        if (data.empty()) return std::nullopt;
        EvalFlags real;
        real.data = data;
        real.split = split;
        real.n = 2 * n;  // each half is as many as the pictures that are drawn
        real.seed = seed;
        return real.open_unlabelled(model, threads);
    }
};

// Refuses wrong flags before anything is loaded.
void check(const CompareFlags& flags) {
    if (flags.ckpt.empty())
        user_error("compare: which checkpoint? give --ckpt FOLDER",
                   "for example: ddpm compare --ckpt runs/shapes --samplers ddim,unipc --steps 5,10,20 --out compared");
    flags.check_names();
    read_compare_rows(flags.samplers);
    read_compare_steps(flags.steps);
    flags.sampling.options();
    if (!flags.data.empty()) expect_data_source(flags.data);
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    if (!flags.split.empty() && flags.data.empty()) user_error("--split: says which part of --data is taken; give that too");
    check_compare_folder(flags.out, flags.overwrite);
}

void check_channels(const Model& model) {
    const int64_t channels = model.channels();
    if (channels != 1 && channels != 3 && channels != 4)
        user_error(
            fmt::format("{}: pictures of {} channels can't be drawn into a sheet, expected 1, 3 or 4", model.source, channels));
}

ComparedCell cell_of(SampleOptions asked, const ResolvedSampling& settings) {
    return {std::move(asked), settings, settings.evaluations(), adds_noise(settings)};
}

// Settles the reference in `steps` steps.
ComparedCell settle_reference(const CompareFlags& flags, const Model& model, int64_t steps) {
    const std::string& embedding = model.network->config().time_embedding_type;
    const bool trailing = embedding == "learned" || embedding == "fourier";  // a row for whole t alone; nothing for t = 0
    const SampleOptions asked = reference_options(flags.sampling.options(), steps, trailing);
    try {
        return cell_of(asked, settle_sampling(model, asked));
    } catch (const Error& error) {
        const std::string key = error.key().rfind("sample.", 0) == 0 ? error.key().substr(7) : "";
        if (key == "steps") throw error.shown_as("--reference-steps");
        if (!flag_of(key).empty()) throw error.shown_as(flag_of(key));
        throw;
    }
}

// Settles all that will be drawn, so that nothing is refused half-way.
Compared settle(const CompareFlags& flags, const Model& model) {
    Compared compared{
        .model = model.source, .weights = flags.weights, .ema_width = flags.ema_width, .seed = flags.seed, .n = flags.n};
    const SampleOptions shared = flags.sampling.options();
    compared.flags = sample_fields().write(shared);
    compared.rows = read_compare_rows(flags.samplers);
    compared.steps = read_compare_steps(flags.steps);
    put_rows_over(compared.rows, shared, model, compared.steps.front());
    for (const CompareRow& row : compared.rows)
        for (const int64_t steps : compared.steps) compared.cells.push_back(cell_of(row.in(steps), settle_row(row, steps, model)));
    check_rows_differ(compared.rows, compared.steps.front(), model);
    const int64_t steps = flags.reference_steps.value_or(std::min(kReferenceSteps, model.schedule.size()));
    compared.reference_way = settle_reference(flags, model, steps);
    compared.reference_in_half = settle_reference(flags, model, std::max<int64_t>(steps / 2, 1));
    return compared;
}

std::string guidance_words(const Guidance& guidance) {
    const std::string text = describe_guidance(guidance, nullptr);  // ", guidance 3, …"
    return text.empty() ? "none" : text.substr(2);
}

void tell(const Compared& compared) {
    for (const CompareRow& row : compared.rows)
        for (const std::string& flag : row.unread) spdlog::warn("{} does not read {}", row.text, flag);
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column)
            if (const std::string& notice = compared.cell(row, column).settings.notice; !notice.empty())
                spdlog::warn("{}: {}", compared.rows[row].text, notice);
    const Guidance& reference = compared.reference_way.settings.guidance;
    for (size_t row = 0; row < compared.rows.size(); ++row)
        if (const Guidance& own = compared.cell(row, 0).settings.guidance; own != reference)
            spdlog::warn(
                "{}: is measured beside a reference of other guidance ({} here, {} there), so its distance is not only its error",
                compared.rows[row].text, guidance_words(own), guidance_words(reference));
}

// Draws and measures everything that `compared` lists.
class Comparing {
public:
    Comparing(const CompareFlags& flags, const Model& model, Compared& compared)
        : flags_(flags), model_(model), compared_(compared), progress_("comparing", total(flags, compared), "evaluations") {}

    void run(const std::optional<ImageSource>& data) {
        ComparedCell& way = compared_.reference_way;
        {
            const DrawPictures whole = drawer(way), half = drawer(compared_.reference_in_half);
            compared_.reference = draw_reference(whole, half, flags_.n, flags_.batch);
        }
        way.measured.seconds = compared_.reference.seconds;
        way.measured.finite = at::isfinite(compared_.reference.pictures).all().item<bool>();
        way.measured.shown = compared_.reference.pictures.slice(0, 0, kShown);
        if (data) read_data(*data);
        for (ComparedCell& cell : compared_.cells)
            cell.measured = measure_way(drawer(cell), cell.noisy, compared_.reference, flags_.batch, kShown);
        progress_.finish();
    }

private:
    static int64_t total(const CompareFlags& flags, const Compared& compared) {
        int64_t evaluations = compared.reference_way.evaluations + compared.reference_in_half.evaluations;
        for (const ComparedCell& cell : compared.cells) evaluations += cell.evaluations;
        return flags.n * evaluations;
    }

    // Returns what draws in one way, with a session that lives as long as it.
    DrawPictures drawer(const ComparedCell& way) {
        const SessionOptions options{
            .sample = way.asked, .seed = static_cast<uint64_t>(flags_.seed), .precision = compared_.precision};
        const auto session = std::make_shared<Session>(model_, options);
        return [this, session](int64_t first, int64_t count) {
            const ResolvedSampling& settings = session->settings();
            const int64_t evaluations = settings.evaluations();
            const at::Tensor pictures = session->sample(first, count, [&](const SamplingStep& step) {
                progress_.update(done_ + count * (evaluations - settings.evaluations(step.i + 1)));
                throw_if_stopped();
            });
            done_ += count * evaluations;
            return pictures;
        };
    }

    void read_data(const ImageSource& data) {
        compared_.data = data.description;
        compared_.data_pictures = data.count;
        const auto read = [&](int64_t first, int64_t count) {
            throw_if_stopped();
            return to_x_start(data.read(first, count).pixels);
        };
        measure_data(compared_.reference, read, data.count, flags_.batch);
    }

    const CompareFlags& flags_;
    const Model& model_;
    Compared& compared_;
    Progress progress_;
    int64_t done_ = 0;
};

void warn_of_nan(const Compared& compared) {
    if (!compared.reference_way.measured.finite)
        spdlog::warn(
            "the reference is not finite, so that there are no distances to it: the weights are damaged, or the training "
            "diverged");
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column)
            if (!compared.cell(row, column).measured.finite)
                spdlog::warn("{} in {}: its pictures are not finite", compared.rows[row].text,
                             plural(compared.steps[column], "step"));
}

int run_compare(const CompareFlags& flags) {
    ignore_sigpipe();
    check(flags);
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const Model model = Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width});
    check_channels(model);
    Compared compared = settle(flags, model);
    const std::optional<ImageSource> data = flags.open_data(model, runtime.threads);
    if (data && data->count < 2 * flags.n)
        spdlog::warn("--data: has {}, fewer than twice --n ({}): the distances to real pictures are less certain",
                     plural(data->count, "picture"), 2 * flags.n);
    compared.precision = settle_precision(flags.precision, kernels, runtime.device.is_cpu());
    compared.device = describe(runtime);
    const ResolvedSampling& reference = compared.reference_way.settings;
    spdlog::info("{}: {} by {} in {} {} each, seed {}, beside {} in {}, on {}", model.source, plural(flags.n, "picture"),
                 plural(static_cast<int64_t>(compared.rows.size()), "sampler"), flags.steps, flags.steps == "1" ? "step" : "steps",
                 flags.seed, reference.sampler, plural(reference.steps(), "step"), compared.device);
    if (const std::string warning = warning_of(model.schedule); !warning.empty()) spdlog::warn("{}: {}", model.source, warning);
    tell(compared);
    catch_stop_signals();
    const fs::path target = place_of_folder(flags.out);
    make_folders(target.parent_path());
    StagedFolder staged(target);
    Comparing(flags, model, compared).run(data);
    warn_of_nan(compared);
    const fs::path place = write_compared(staged, target, flags.overwrite, compared);
    spdlog::info("wrote {}", fs::equivalent(place, flags.out) ? flags.out : place.string());
    return 0;
}

}  // namespace

std::function<int()> add_compare(CLI::App& command) {
    auto flags = std::make_shared<CompareFlags>();
    command.add_option("--ckpt", flags->ckpt, "a run, a checkpoint, a folder of diffusers, or a .safetensors file of ddpm convert");
    add_with_default(command, "--samplers", flags->samplers,
                     "the rows: names of samplers between commas, each perhaps with keys of section `sample` of its own, as "
                     "ddim:eta=0.5:timestep_spacing=karras or ddim:guidance_scale=2:guidance_interval=[0.3,5]");
    add_with_default(command, "--steps", flags->steps, "the columns: numbers of steps between commas");
    add_with_default(command, "--out", flags->out, "folder for sheet.png, error.png, compare.csv, compare.json and compare.md");
    command.add_flag("--overwrite", flags->overwrite, "replace an earlier comparison in the folder");
    command.add_option("--data", flags->data,
                       "also measure the distance to real pictures: a configuration (JSON) or a folder; twice --n are taken, "
                       "spread evenly");
    command.add_option("--split", flags->split, "--data, of cifar10 or mnist: train or test (default: as it is configured)");
    add_with_default(command, "--n", flags->n, "pictures of each sampler and number of steps")->check(integer_in(1, 1000000));
    add_with_default(command, "--seed", flags->seed, "picture i follows from (seed, i)")->check(integer_in(0));
    add_with_default(command, "--batch", flags->batch, "pictures drawn at a time")->check(integer_in(1, 100000));
    command
        .add_option("--reference-steps", flags->reference_steps,
                    fmt::format("steps of the solution that the others are compared with (default: {}, or all that the schedule "
                                "has)",
                                kReferenceSteps))
        ->check(integer_in(2, 1000000));
    flags->sampling.add_without_steps(command);
    flags->add_weights(command);
    flags->add_precision(command);
    flags->add_machine(command);
    return [flags] { return run_compare(*flags); };
}

}  // namespace ddpm::cli
