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
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/run_flags.h"
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
    std::string ckpt, guide_ckpt, samplers = "ddim,dpmpp_2m,unipc,heun", steps = "5,10,20,50", out = "compared", data, split;
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

bool is_guided(const ComparedCell& cell) { return cell.settings.guidance.on(); }

// Settles the reference of a row in `steps` steps.
ComparedCell settle_reference(const CompareRow& row, const ComparedModels& models, int64_t steps) {
    const std::string& embedding = models.model.network->config().time_embedding_type;
    const bool trailing = embedding == "learned" || embedding == "fourier";  // a row for whole t alone; nothing for t = 0
    const SampleOptions asked = reference_options(row.asked, steps, trailing);
    try {
        return cell_of(asked, settle_sampling(models, asked));
    } catch (const Error& error) {
        const std::string key = error.key().rfind("sample.", 0) == 0 ? error.key().substr(7) : "";
        if (key == "steps") throw error.shown_as("--reference-steps");
        if (!flag_of(key).empty()) throw error.shown_as(flag_of(key));
        throw;
    }
}

// Settles a reference for each ODE that a row solves.
void settle_references(Compared& compared, const ComparedModels& models, int64_t steps) {
    for (const CompareRow& row : compared.rows) {
        ComparedCell way = settle_reference(row, models, steps);
        const auto same = [&](const ComparedReference& other) {
            return keys_in_force(other.way.settings) == keys_in_force(way.settings);
        };
        const auto found = std::find_if(compared.references.begin(), compared.references.end(), same);
        compared.reference_of.push_back(static_cast<size_t>(found - compared.references.begin()));
        if (found == compared.references.end())
            compared.references.push_back({std::move(way), settle_reference(row, models, std::max<int64_t>(steps / 2, 1))});
    }
}

// Settles all that will be drawn, so that nothing is refused half-way.
Compared settle(const CompareFlags& flags, const ComparedModels& models) {
    const Model& model = models.model;
    Compared compared{.model = model.source,
                      .weights = flags.weights,
                      .ema_width = flags.ema_width,
                      .ema_step = model.ema_step,
                      .seed = flags.seed,
                      .n = flags.n};
    const SampleOptions shared = flags.sampling.options();
    compared.flags = sample_fields().write(shared);
    compared.rows = read_compare_rows(flags.samplers);
    compared.steps = read_compare_steps(flags.steps);
    put_rows_over(compared.rows, shared, models, compared.steps.front());
    for (const CompareRow& row : compared.rows)
        for (const int64_t steps : compared.steps) compared.cells.push_back(cell_of(row.in(steps), settle_row(row, steps, models)));
    check_rows_differ(compared.rows, compared.steps.front(), models);
    if (models.guide != nullptr) {
        compared.guide = models.guide->source;
        if (std::none_of(compared.cells.begin(), compared.cells.end(), is_guided))
            user_error("--guide-ckpt: no row of --samplers is guided; give a scale, for example --guidance 2, or leave it out");
    }
    settle_references(compared, models, flags.reference_steps.value_or(std::min(kReferenceSteps, model.schedule.size())));
    return compared;
}

void tell(const Compared& compared) {
    for (size_t row = 0; row < compared.rows.size() && compared.references.size() > 1; ++row) {
        const size_t index = compared.reference_of[row];
        spdlog::info("{} is measured beside reference {}, with {}", compared.rows[row].text, index + 1,
                     describe_ode(compared.references[index].way.settings));
    }
    for (const CompareRow& row : compared.rows)
        for (const std::string& flag : row.unread) spdlog::warn("{} does not read {}", row.text, flag);
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column)
            if (const std::string& notice = compared.cell(row, column).settings.notice; !notice.empty())
                spdlog::warn("{}: {}", compared.rows[row].text, notice);
}

// Draws and measures everything that `compared` lists.
class Comparing {
public:
    Comparing(const CompareFlags& flags, const Model& model, const std::optional<Model>& guide, Compared& compared)
        : flags_(flags),
          model_(model),
          guide_(guide),
          compared_(compared),
          progress_("comparing", total(flags, compared), "evaluations") {}

    void run(const std::optional<ImageSource>& data) {
        for (ComparedReference& reference : compared_.references) draw(reference);
        if (data) read_data(*data);
        for (size_t i = 0; i < compared_.cells.size(); ++i) {
            const size_t reference = compared_.reference_of[i / compared_.steps.size()];
            ComparedCell& cell = compared_.cells[i];
            cell.measured = measure_way(drawer(cell), cell.noisy, compared_.references[reference].measured, flags_.batch, kShown);
        }
        progress_.finish();
    }

private:
    static int64_t total(const CompareFlags& flags, const Compared& compared) {
        int64_t evaluations = 0;
        for (const auto& [way, in_half, measured] : compared.references) evaluations += way.evaluations + in_half.evaluations;
        for (const ComparedCell& cell : compared.cells) evaluations += cell.evaluations;
        return flags.n * evaluations;
    }

    void draw(ComparedReference& reference) {
        auto& [way, in_half, measured] = reference;
        const DrawPictures whole = drawer(way), half = drawer(in_half);
        measured = draw_reference(whole, half, flags_.n, flags_.batch);
        way.measured.seconds = measured.seconds;
        way.measured.finite = at::isfinite(measured.pictures).all().item<bool>();
        way.measured.shown = measured.pictures.slice(0, 0, kShown);
    }

    // Returns what draws in one way, with a session that lives as long as it.
    DrawPictures drawer(const ComparedCell& way) {
        const SessionOptions options{.sample = way.asked,
                                     .seed = static_cast<uint64_t>(flags_.seed),
                                     .precision = compared_.precision,
                                     .guide = is_guided(way) ? guide_ : std::nullopt};
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
        const Reference& first = compared_.references.front().measured;
        measure_data(compared_.references.front().measured, read, data.count, flags_.batch);
        for (ComparedReference& reference : compared_.references) {
            reference.measured.data = first.data;
            reference.measured.data_floor = first.data_floor;
        }
    }

    const CompareFlags& flags_;
    const Model& model_;
    const std::optional<Model>& guide_;
    Compared& compared_;
    Progress progress_;
    int64_t done_ = 0;
};

void warn_of_nan(const Compared& compared) {
    const auto finite = [](const ComparedReference& reference) { return reference.way.measured.finite; };
    if (!std::all_of(compared.references.begin(), compared.references.end(), finite))
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
    const Model model = naming_flags({{"ema_width", "--ema-width"}, {"ema_step", "--step"}}, [&] {
        return Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width, flags.ema_step});
    });
    check_channels(model);
    std::optional<Model> guide;
    if (!flags.guide_ckpt.empty()) guide = Model::open(flags.guide_ckpt, {flags.weights, runtime.device, &kernels});
    Compared compared = naming_flags({{"guide", "--guide-ckpt"}}, [&] {
        return settle(flags, {model, guide ? &*guide : nullptr});
    });
    const std::optional<ImageSource> data = flags.open_data(model, runtime.threads);
    compared.precision = settle_precision(flags.precision, kernels, runtime.device.is_cpu());
    compared.device = describe(runtime);
    const ResolvedSampling& reference = compared.references.front().way.settings;
    spdlog::info("{}: {} by {} in {} {} each, seed {}, beside {} in {}, on {}", model.source, plural(flags.n, "picture"),
                 plural(static_cast<int64_t>(compared.rows.size()), "sampler"), flags.steps, flags.steps == "1" ? "step" : "steps",
                 flags.seed, reference.sampler, plural(reference.steps(), "step"), compared.device);
    if (const std::string warning = warning_of(model.schedule); !warning.empty()) spdlog::warn("{}: {}", model.source, warning);
    if (data && data->count < 2 * flags.n)
        spdlog::warn(
            "--data: holds {}, expected {} (twice --n); the distances to so few are larger by chance, so compare them with "
            "their floor alone",
            plural(data->count, "picture"), 2 * flags.n);
    tell(compared);
    catch_stop_signals();
    const fs::path target = place_of_folder(flags.out);
    make_folders(target.parent_path());
    StagedFolder staged(target);
    Comparing(flags, model, guide, compared).run(data);
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
                     "ddim:eta=0.5:timestep_spacing=karras or heun:guidance_scale=2:guidance_interval=0.3..5");
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
    command.add_option("--guide-ckpt", flags->guide_ckpt,
                       "guide the rows that have a scale of guidance by this network, as `ddpm sample` does");
    flags->add_weights(command);
    flags->add_ema_step(command);
    flags->add_precision(command);
    flags->add_machine(command);
    return [flags] { return run_compare(*flags); };
}

}  // namespace ddpm::cli
