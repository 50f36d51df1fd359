#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/defaults.h"
#include "cli/encode.h"
#include "cli/flag_names.h"
#include "cli/given_noise.h"
#include "cli/labels.h"
#include "cli/places.h"
#include "cli/sample_files.h"
#include "cli/sample_words.h"
#include "cli/signals.h"
#include "cli/trajectory.h"
#include "cli/validators.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/grid.h"
#include "ddpm/pipeline/pictures.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kPictures = 16;  // unless --n, --noise or --init says how many

// Refuses wrong flags before anything is loaded.
void check(const SampleFlags& flags) {
    if (flags.ckpt.empty())
        user_error("sample: which checkpoint? give --ckpt FOLDER",
                   "for example: ddpm sample --ckpt runs/shapes --n 64 --grid grid.png");
    flags.check_names();
    read_choice(flags.format, "--format", sample_formats());
    flags.sampling.options();
    flags.edit.check(flags.noise);
    if (!flags.noise.empty())
        expect_kind(flags.noise, {FileKind::safetensors, FileKind::unknown}, "a .safetensors file of x_T for --noise");
    if (flags.edit.encodes() && flags.out == SampleFlags::kOut)
        user_error("--encode: where to? give --out FILE.safetensors, which will hold the x_T");
    std::vector<FlagAndPath> inputs = flags.edit.inputs();
    inputs.emplace_back("--noise", flags.noise);
    check_apart({{"--out", flags.out}, {"--grid", flags.grid}, {"--trajectory", flags.trajectory}}, inputs);
    if (flags.edit.encodes()) {
        if (!flags.guide_ckpt.empty()) user_error("--guide-ckpt: a guided walk has no way back; leave it out with --encode");
        return check_encode_place(flags.out, flags.overwrite);
    }
    check_sample_folder(flags.out, flags.overwrite, {{"--grid", flags.grid}, {"--trajectory", flags.trajectory}});
    check_places({{"--grid", flags.grid}, {"--trajectory", flags.trajectory}});
}

void check_channels(const SampleFlags& flags, const Model& model) {
    const int64_t channels = model.channels();
    const bool as_png = flags.format == "png" || !flags.grid.empty() || !flags.trajectory.empty();
    if (as_png && channels != 1 && channels != 3 && channels != 4)
        user_error(fmt::format("{}: pictures of {} channels can't be PNGs, expected 1, 3 or 4", model.source, channels),
                   "--format safetensors or npz writes them as numbers; leave --grid and --trajectory out");
}

// Returns the noise of --noise, or none without the flag.
GivenNoise noise_for(const SampleFlags& flags, const Model& model, int64_t S) {
    if (flags.noise.empty()) return {};
    const GivenNoise given = read_noise(flags.noise, {model.channels(), model.height, model.width}, S);
    if (given.x_T.defined() && flags.n && !flags.edit.edits() && !flags.edit.interpolates() && *flags.n > given.x_T.size(0))
        user_error(
            fmt::format("--n: got {}, but {} holds noise for {}", *flags.n, flags.noise, plural(given.x_T.size(0), "picture")));
    return given;
}

// Samples pictures 0 … n − 1 into the folder, the grid and the trajectory. The files appear when all pictures are done.
void draw_pictures(const Drawing& drawing, Session& session) {
    const SampleFlags& flags = drawing.flags;
    const Model& model = session.model();
    const int64_t n = drawing.n, evaluations = drawing.left.front();
    SampleFiles files(flags.out, flags.overwrite, flags.format, n);
    Progress progress("sampling", n * evaluations, "evaluations");
    std::vector<Image> all;
    const int64_t shown = std::min<int64_t>({n, flags.batch, 8});
    Trajectory trajectory(shown);
    for (int64_t first = 0; first < n; first += flags.batch) {
        const int64_t count = std::min(flags.batch, n - first);
        const at::Tensor batch = session.sample(first, count, [&](const SamplingStep& step) {
            progress.update(first * evaluations + count * (evaluations - drawing.left[static_cast<size_t>(step.i + 1)]));
            if (!flags.trajectory.empty() && first == 0) trajectory.add(step);
            throw_if_stopped();
        });
        if (batch.isnan().any().item<bool>())
            runtime_failure(
                model.source + ": the network's answers became NaN: its weights are damaged, or the training diverged",
                drawing.whole.clip ? "an earlier checkpoint may be sound" : "without --no-clip the predictions stay bounded");
        std::vector<Image> pictures = to_images(batch);
        std::vector<int64_t> labels;
        for (int64_t i = first; i < first + count; ++i)
            if (session.label_of(i) >= 0) labels.push_back(session.label_of(i));
        files.add(batch, pictures, first, labels, [&](int64_t index) { return how_made(drawing, session, index); });
        if (!flags.grid.empty()) std::move(pictures.begin(), pictures.end(), std::back_inserter(all));
    }
    const fs::path place = files.commit();
    progress.finish();
    if (!flags.grid.empty()) write_png(flags.grid, make_readable_grid(all), how_made(drawing, session, 0, n));
    if (!flags.trajectory.empty()) write_png(flags.trajectory, trajectory.picture(), how_made(drawing, session, 0, shown));
    spdlog::info("wrote {} to {}", plural(n, "picture"), fs::equivalent(place, flags.out) ? flags.out : place.string());
    for (const std::string& file : {flags.grid, flags.trajectory})
        if (!file.empty()) spdlog::info("wrote {}", file);
}

// Opens the session of these flags and draws. `guide` is the model of --guide-ckpt.
void draw(const SampleFlags& flags, const Model& model, const std::optional<Model>& guide, const Runtime& runtime,
          std::optional<int64_t> label, const std::string& precision) {
    const EditFlags& edit = flags.edit;
    const auto seed = static_cast<uint64_t>(flags.seed);
    const Model* guided_by = guide ? &*guide : nullptr;
    EditInput input = edit.read(model, flags.n.value_or(1), runtime.threads);
    const ResolvedSampling whole = naming_flags(
        {{"guide", "--guide-ckpt"}}, [&] { return flags.sampling.settle(model, guided_by, edit.start().leaves_out_steps()); });
    const ResolvedSampling walked = edit.walk(whole, input.edit, model);
    std::vector<int64_t> left = evaluations_left(input.edit, walked);
    Drawing drawing{flags, std::move(input), whole, walked, std::move(left)};
    drawing.precision = precision;
    if (!flags.noise.empty()) drawing.noise_crc32 = crc32_of_file(flags.noise);
    check_channels(flags, model);
    GivenNoise given = noise_for(flags, model, steps_taken(drawing.input.edit, drawing.walked));
    drawing.n = edit.edits() ? drawing.input.edit.pictures.size(0) * drawing.input.edit.variants
                             : flags.n.value_or(given.x_T.defined() && !edit.interpolates() ? given.x_T.size(0) : kPictures);
    if (edit.interpolates()) {
        label = edit.label_of_strip(model, label);
        given = {edit.strip(model, drawing.whole, seed, drawing.n, given.x_T), {}};
    }
    drawing.label = label;
    if (given.x_T.defined() && drawing.n > given.x_T.size(0))
        user_error(fmt::format("{}: holds noise for {}, but {} are asked for", flags.noise, plural(given.x_T.size(0), "picture"),
                               drawing.n));
    spdlog::info("{}: {} by {} in {}{}{}, {}, on {}", model.source, plural(drawing.n, "picture"), drawing.whole.sampler,
                 describe_steps(drawing), describe_guidance(drawing.whole.guidance, guided_by), what_is_drawn(model, label),
                 describe_noise(drawing, given), describe(runtime));
    if (const std::string warning = warning_of(model.schedule); !warning.empty()) spdlog::warn("{}: {}", model.source, warning);
    if (!drawing.whole.notice.empty()) spdlog::warn("{}", drawing.whole.notice);
    if (flags.precision == "auto") spdlog::info("--precision auto: {} on this machine", precision);
    catch_stop_signals();
    Session session = naming_flags({{"label", "--label"}}, [&] {
        return Session(model, {flags.sampling.options(), seed, label, precision, given, drawing.input.edit, guide});
    });
    draw_pictures(drawing, session);
}

// Opens the model of --guide-ckpt, if it is given.
std::optional<Model> open_guide(const SampleFlags& flags, const Model& model, const Runtime& runtime, const Kernels& kernels) {
    if (flags.guide_ckpt.empty()) return std::nullopt;
    return naming_flag("--guide-ckpt", [&] {
        Model guide = Model::open(flags.guide_ckpt, {flags.weights, runtime.device, &kernels});
        std::error_code ignored;
        if (!flags.ema_width && fs::equivalent(guide.source, model.source, ignored))
            user_error(guide.source + ": is the model itself, and guided by itself it draws what it draws alone",
                       "name an earlier checkpoint of the run, or leave it out");
        return std::optional(std::move(guide));
    });
}

int run_sample(const SampleFlags& flags) {
    ignore_sigpipe();
    check(flags);
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    const Model model = naming_flags({{"ema_width", "--ema-width"}, {"ema_step", "--step"}}, [&] {
        return Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width, flags.ema_step});
    });
    const std::optional<Model> guide = open_guide(flags, model, runtime, kernels);
    const std::optional<int64_t> label = chosen_label(flags.label, model);
    const std::string precision = settle_precision(flags.precision, kernels, runtime.device.is_cpu());
    if (!flags.edit.encodes()) {
        draw(flags, model, guide, runtime, label, precision);
        return 0;
    }
    catch_stop_signals();
    encode_pictures({flags.edit.pictures_to_encode(), flags.out, flags.overwrite, flags.edit.evaluations_of_a_step(), flags.batch,
                     label, precision, runtime.threads, flags_of_model(flags, label), model_text(flags, model, precision, label)},
                    flags.sampling, model);
    return 0;
}

}  // namespace

std::function<int()> add_sample(CLI::App& command) {
    auto flags = std::make_shared<SampleFlags>();
    command.add_option("--ckpt", flags->ckpt,
                       "a run, a checkpoint, a folder of diffusers (its unet/ alone too), or a .safetensors file of ddpm convert");
    command
        .add_option("--n", flags->n,
                    fmt::format("how many pictures (default: {}, or as many as --noise holds; with --init of each, 1)", kPictures))
        ->check(integer_in(1, 1000000));
    add_with_default(command, "--out", flags->out, "folder for 000000.png, 000001.png, …");
    command.add_option("--format", flags->format,
                       "png; safetensors (samples.safetensors: float32 `images`); npz (samples.npz: uint8 arr_0, labels arr_1)");
    command.add_option("--grid", flags->grid, "write all pictures side by side, enlarged, to this PNG");
    command.add_flag("--overwrite", flags->overwrite, "replace the pictures in the folder");
    flags->sampling.add(command);
    command.add_option(
        "--guide-ckpt", flags->guide_ckpt,
        "guide by this network (autoguidance; needs --guidance): an earlier checkpoint of the run, or any of the same "
        "prediction type, schedule and pictures, with the same labels or none");
    add_with_default(command, "--seed", flags->seed, "picture i follows from (seed, i)")->check(integer_in(0));
    command.add_option("--noise", flags->noise,
                       "take x_T, and the noise of the steps where it is there (`noise`), from this .safetensors file");
    add_with_default(command, "--batch", flags->batch, "pictures drawn at a time")->check(integer_in(1, 100000));
    command.add_option("--label", flags->label, "a class's name or number (default: all classes in turn)");
    flags->add_weights(command);
    flags->add_ema_step(command);
    flags->add_precision(command);
    command.add_option("--trajectory", flags->trajectory,
                       "write how the first pictures come out of noise, x_t and the predicted x_0, to this PNG");
    flags->edit.add(command);
    flags->add_machine(command);
    return [flags] { return run_sample(*flags); };
}

}  // namespace ddpm::cli
