#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "cli/app.h"
#include "cli/config.h"
#include "cli/preview.h"
#include "cli/run_flags.h"
#include "cli/signals.h"
#include "cli/train_check.h"
#include "cli/train_settings.h"
#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/core/files.h"
#include "ddpm/core/runtime.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/dataset/holdout.h"
#include "ddpm/nn/unet.h"
#include "ddpm/report/progress.h"
#include "ddpm/run/damage.h"
#include "ddpm/run/entries.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/train/forecast.h"
#include "ddpm/train/trainer.h"

namespace ddpm {

namespace {

struct TrainFlags : RunFlags {
    std::string config, out, init_from, max_time;
    std::vector<std::string> assignments;
    bool resume = false, overwrite = false, deterministic = false, check = false;
};

// Labels must have a row each in the network's table.
void check_labels(const Config& config, const Dataset& dataset) {
    if (config.model.class_embed_type == "identity")
        key_error("model.class_embed_type",
                  "\"identity\" wants vectors for labels, which no data set here has; expected null or "
                  "timestep");
    if (config.model.class_embed_type && !config.model.num_class_embeds)
        key_error("model.class_embed_type", "is set, but not how many labels there are; set model.num_class_embeds too");
    if (!config.model.num_class_embeds) return;
    const auto classes = static_cast<int64_t>(dataset.class_names().size());
    const int64_t needed = classes + (config.train.class_dropout > 0 ? 1 : 0);
    if (classes == 0)
        key_error("model.num_class_embeds",
                  "is set, but the data set has no labels; put the pictures into one subfolder "
                  "a class, or set it to null");
    if (*config.model.num_class_embeds < needed)
        key_error("model.num_class_embeds",
                  fmt::format("got {}, expected at least {}: {} classes{}",
                              *config.model.num_class_embeds, needed, classes,
                              needed > classes ? " and the empty label of train.class_dropout" : ""));
}

// A class that has come or gone, or was renamed, would give its pictures the number of another.
void check_same_classes(const fs::path& checkpoint, const Config& config, const Dataset& dataset) {
    if (!config.model.num_class_embeds) return;
    const std::vector<std::string> before = training_label_names(checkpoint), &now = dataset.class_names();
    if (before != now)
        user_error(fmt::format("{}: was trained with the classes {}, and the data set has {} now; labels would mean something "
                               "else; name the folders as they were",
                               checkpoint.string(), quote(join(before)), quote(join(now))));
}

// A group of one channel is an instance norm: it takes every channel's mean away, and flat colours with it.
void warn_of_lone_channels(const UNetConfig& unet) {
    const auto& channels = unet.block_out_channels;
    if (std::find(channels.begin(), channels.end(), unet.norm_num_groups) != channels.end())
        spdlog::warn("model.norm_num_groups: {} groups leave one channel to each at the level of {} channels, which learns "
                     "slowly and gets colours wrong; groups of four or more do better (--set model.norm_num_groups={})",
                     unet.norm_num_groups, unet.norm_num_groups, std::max<int64_t>(unet.norm_num_groups / 4, 1));
}

// The step that a run which goes on has done already.
int64_t resumed_step(const fs::path& folder, const std::optional<fs::path>& checkpoint, const Config& config) {
    if (!checkpoint) {
        std::error_code ignored;
        const uintmax_t known = fs::file_size(folder / "metrics.jsonl", ignored);
        if (ignored || known == 0)
            spdlog::info("{}: no complete checkpoint, starting at step 0", folder.string());
        else
            spdlog::warn("{}: no complete checkpoint, starting at step 0; the steps that metrics.jsonl tells of are taken anew",
                         folder.string());
        return 0;
    }
    const auto step = training_counters(*checkpoint).at("step").get<int64_t>();
    if (step >= config.train.steps)
        spdlog::info("{}: finished, step {} of {}; raise train.steps to go on", folder.string(), step, config.train.steps);
    return step;
}

// Whether x_t is as noisy at every t, to what a float32 table resolves.
bool same_noise(const NoiseSchedule& a, const NoiseSchedule& b) {
    return a.size() == b.size() && std::equal(a.alphas_cumprod().begin(), a.alphas_cumprod().end(), b.alphas_cumprod().begin(),
                                              [](double x, double y) { return std::abs(x - y) < 1e-6; });
}

// The weights that --init-from names, whose network must be the configuration's.
std::shared_ptr<const UNet2D> initial_weights(const std::string& path, const Config& config) {
    const Pipeline pipeline = open_pipeline(resolve_checkpoint(path));
    const std::vector<std::string> differences = compare_networks(pipeline.unet, resolve_unet(config));
    if (!differences.empty())
        user_error(fmt::format("--init-from {}: another network than the configuration's: {}", path, join(differences)),
                   "the keys of its unet/config.json may stand in the section model as they are");
    if (pipeline.has_scheduler && pipeline.scheduler.prediction_type != config.diffusion.prediction_type)
        spdlog::warn("--init-from {}: its network predicts {}, the configuration's {}", path, pipeline.scheduler.prediction_type,
                     config.diffusion.prediction_type);
    if (pipeline.has_scheduler && !same_noise(make_schedule(pipeline.scheduler), make_schedule(config.diffusion)))
        spdlog::warn("--init-from {}: its network learnt another schedule ({}) than the configuration's ({})", path,
                     describe_scheduler(pipeline.scheduler), describe_scheduler(to_scheduler(config.diffusion)));
    std::shared_ptr<const UNet2D> unet = load_unet(pipeline);
    spdlog::info("--init-from {}: beginning with its weights ({})", path, describe_unet(pipeline.unet));
    return unet;
}

// When a run that begins now has to have ended, by steady_seconds().
double deadline_of(const std::string& max_time) {
    if (max_time.empty()) return std::numeric_limits<double>::infinity();
    const std::optional<double> seconds = parse_duration(max_time);
    if (!seconds || *seconds == 0)
        user_error(fmt::format("--max-time: got {}, expected a duration such as 90s, 30m, 2h, 1h30m or 1d", quote(max_time)));
    return steady_seconds() + *seconds;
}

int run_train(const TrainFlags& flags) {
    outlive_reader();
    if (flags.config.empty())
        user_error("train: which configuration? give --config FILE", "for example: ddpm train --config configs/shapes.json");
    if (flags.resume && flags.overwrite) user_error("--resume and --overwrite contradict each other; give one");
    const double deadline = deadline_of(flags.max_time);
    catch_checkpoint_signal();
    const GivenConfig given = read_given(flags.config, flags.assignments);
    std::optional<Config> settings;
    if (!flags.resume) settings = begun_config(given);
    const fs::path file = flags.config, own = file.has_parent_path() ? file.parent_path() : fs::path(".");
    const fs::path folder = !flags.out.empty()         ? fs::path(flags.out)
                            : is_config_of_run(file) ? own
                                                       : fs::path("runs") / file.stem();
    const auto refuse_another_run = [&] {
        if (!holds_run(folder)) return;
        if (const auto entry = foreign_entry(folder, flags.overwrite))
            user_error(fmt::format("{}: is no part of a run, and {} would {} it; move it, or train elsewhere with --out",
                                   entry->string(), flags.overwrite ? "--overwrite" : "a run in this folder",
                                   flags.overwrite ? "remove" : "replace"));
        if (!flags.resume && !flags.overwrite)
            user_error(folder.string() + ": holds a run already",
                       "--resume goes on with it, --overwrite begins anew, --out trains elsewhere");
    };
    // Held before anything in the folder is trusted; where no run has ever been, a refusal leaves no lock behind.
    if (std::error_code ignored; !fs::exists(folder / ".lock", ignored)) refuse_another_run();
    std::optional<FolderLock> lock;
    if (std::error_code ignored; !flags.check && fs::is_directory(folder, ignored)) lock.emplace(folder);
    refuse_another_run();
    if (!flags.check && lock) finish_removal(folder);
    std::optional<fs::path> checkpoint;  // to go on from
    if (flags.resume) checkpoint = flags.check ? newest_sound(folder / "checkpoints", NeededFiles::all) : set_damaged_aside(folder);

    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start(flags.deterministic);
    if (checkpoint) {
        settings = continued_config(given, *checkpoint);
    } else {
        if (!settings) settings = begun_config(given);
        settle_precision(settings->train, kernels, runtime);
    }
    const Config config = *settings;
    const Json resolved = write_config(config);
    if (checkpoint && !flags.init_from.empty())
        spdlog::info("--init-from {}: passed over, the run goes on from its own checkpoint", flags.init_from);
    if (flags.check) check_run_writable(folder);
    if (flags.resume && resumed_step(folder, checkpoint, config) >= config.train.steps && fs::exists(folder / "loss.png"))
        return 0;
    std::shared_ptr<const UNet2D> initial;
    if (!checkpoint && !flags.init_from.empty()) initial = initial_weights(flags.init_from, config);

    const auto seed = static_cast<uint64_t>(config.seed);
    const std::shared_ptr<const Dataset> whole = open_dataset(config.dataset, seed, runtime.threads);
    check_labels(config, *whole);
    if (checkpoint) check_same_classes(*checkpoint, config, *whole);
    const Split split = held_out_count(whole->size(), config.dataset.holdout) > 0
                            ? split_dataset(whole, config.dataset.holdout, seed)
                            : Split{};

    TrainJob job;
    job.folder = folder;
    job.config = resolved;
    job.seed = seed;
    job.unet = resolve_unet(config);
    warn_of_lone_channels(job.unet);
    job.diffusion = config.diffusion;
    job.train = config.train;
    job.dataset = split.training ? split.training.get() : whole.get();
    job.held_out = split.held_out.get();
    job.loader_threads = worker_count(config.dataset, runtime.threads);
    job.runtime = runtime;
    job.kernels = &kernels;
    job.resume = flags.resume;
    job.checkpoint = checkpoint;
    job.initial = initial;
    if (initial) job.initial_source = flags.init_from;

    const MemoryForecast memory = forecast_memory(job);
    check_fits(memory, job.train);
    if (flags.check) {
        std::fputs(try_run(job, memory).c_str(), stdout);
        return 0;
    }
    make_folders(folder);
    if (!lock) {
        lock.emplace(folder);
        refuse_another_run();  // that began and ended meanwhile
    }
    spdlog::info("training on {}", describe(runtime));
    spdlog::info("memory: {}", describe(memory, job.train));
    if (flags.overwrite) remove_run(folder);
    job.draw_samples = [&](UNet2D& ema, const fs::path& file, const std::function<bool()>& stop) {
        try {
            draw_preview(ema, config, whole->class_names(), file, stop);
        } catch (const Stopped&) {  // the loop sees it too
        }
    };
    catch_stop_signals();
    job.stop_requested = [] { return stop_signal() != 0; };
    job.checkpoint_requested = take_checkpoint_request;
    job.deadline = deadline;

    if (train(job) == TrainEnd::stopped) {
        std::string command = "ddpm train --config " + shell_word(flags.config) + " --resume";
        if (!flags.out.empty()) command += " --out " + shell_word(flags.out);
        for (const std::string& assignment : flags.assignments) command += " --set " + shell_word(assignment);
        if (!flags.max_time.empty()) command += " --max-time " + flags.max_time;
        command += flags.machine_words();
        if (flags.deterministic) command += " --deterministic";
        spdlog::info("{}; `{}` goes on", stop_signal() == 0 ? "the time is up" : "stopped", command);
        return stop_signal() == 0 ? 0 : 128 + stop_signal();
    }
    spdlog::info("finished; draw pictures with `ddpm sample --ckpt {} --n 64 --grid grid.png`", shell_word(folder.string()));
    return stop_signal() == 0 ? 0 : 128 + stop_signal();
}

}  // namespace

std::function<int()> add_train(CLI::App& command) {
    auto flags = std::make_shared<TrainFlags>();
    command.add_option("--config", flags->config, "the configuration, a JSON file");
    command.add_option("--out", flags->out,
                       "folder of the run (default: runs/<name of the configuration>, or of a run's own config.json the run)");
    command.add_option("--init-from", flags->init_from,
                       "begin with the (EMA) weights of a run, checkpoint, diffusers folder or .safetensors file");
    command.add_flag("--resume", flags->resume, "go on from the newest complete checkpoint; settings that the configuration leaves out stay as the run has them");
    command.add_flag("--overwrite", flags->overwrite, "remove the run that lies in the folder and begin anew");
    command.add_flag("--check", flags->check, "do everything but train: read, build and try, say what was found, write nothing");
    command.add_option("--max-time", flags->max_time, "stop in time with a checkpoint: 90s, 30m, 2h, 1h30m, 1d");
    command.add_option("--set", flags->assignments, "section.key=value: change one setting; may be given again")
        ->take_all()
        ->allow_extra_args(false);
    command.add_flag("--deterministic", flags->deterministic,
                     "on a GPU: the same numbers every time, as far as LibTorch can (a CPU does so for a given --threads)");
    flags->add_machine(command);
    return [flags] { return run_train(*flags); };
}

}  // namespace ddpm
