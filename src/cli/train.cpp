#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/config.h"
#include "cli/initial_weights.h"
#include "cli/neighbours_search.h"
#include "cli/places.h"
#include "cli/preview.h"
#include "cli/run_flags.h"
#include "cli/signals.h"
#include "cli/train_check.h"
#include "cli/train_settings.h"
#include "cli/training_data.h"
#include "cli/training_judge.h"
#include "ddpm/core/files.h"
#include "ddpm/core/locks.h"
#include "ddpm/core/runtime.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"
#include "ddpm/report/progress.h"
#include "ddpm/run/damage.h"
#include "ddpm/run/entries.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/train/forecast.h"
#include "ddpm/train/trainer.h"

namespace ddpm::cli {

namespace {

struct TrainFlags : RunFlags {
    std::string config, out, init_from, max_time;
    std::vector<std::string> assignments;
    bool resume = false, overwrite = false, deterministic = false, check = false, stop_when_done = false;
};

// Warns of groups of one channel. Such a group is an instance norm, which removes the mean of every channel and with it the colour
// of flat areas.
void warn_of_lone_channels(const UNetConfig& unet) {
    const auto& channels = unet.block_out_channels;
    if (std::find(channels.begin(), channels.end(), unet.norm_num_groups) != channels.end())
        spdlog::warn(
            "model.norm_num_groups: {} groups leave one channel to each at the level of {} channels, which learns "
            "slowly and gets colours wrong; groups of four or more do better (--set model.norm_num_groups={})",
            unet.norm_num_groups, unet.norm_num_groups, std::max<int64_t>(unet.norm_num_groups / 4, 1));
}

// Returns the number of steps that a resumed run has done, and logs where it goes on.
int64_t resumed_step(const fs::path& folder, const std::optional<fs::path>& checkpoint, const Config& config) {
    if (!checkpoint) {
        std::error_code ignored;
        const uintmax_t known = fs::file_size(folder / "metrics.jsonl", ignored);
        if (ignored || known == 0)
            spdlog::info("{}: no complete checkpoint, starting at step 0", folder.string());
        else
            spdlog::warn("{}: no complete checkpoint, starting at step 0; the steps in metrics.jsonl are taken again",
                         folder.string());
        return 0;
    }
    const auto step = training_counters(*checkpoint).at("step").get<int64_t>();
    if (step >= config.train.steps)
        spdlog::info("{}: finished, step {} of {}; raise train.steps to go on", folder.string(), step, config.train.steps);
    return step;
}

// Returns the time, in steady_seconds(), by which a run that starts now has to end.
double deadline_of(const std::string& max_time) {
    if (max_time.empty()) return std::numeric_limits<double>::infinity();
    const std::optional<double> seconds = parse_duration(max_time);
    if (!seconds || *seconds == 0)
        user_error(fmt::format("--max-time: got {}, expected a duration such as 90s, 30m, 2h, 1h30m or 1d", quote(max_time)));
    return steady_seconds() + *seconds;
}

// Refuses missing and contradictory flags before anything is read.
void check_flags(const TrainFlags& flags) {
    if (flags.config.empty())
        user_error("train: which configuration? give --config FILE", "for example: ddpm train --config configs/shapes.json");
    if (flags.resume && flags.overwrite) user_error("--resume and --overwrite contradict each other; give one");
}

// Refuses --stop-when-done if nothing is measured by which a run could be done.
void check_end_is_measured(const TrainFlags& flags, const Config& config) {
    const bool measures_loss = config.dataset.holdout > 0 && config.train.validate_every > 0;
    if (flags.stop_when_done && !measures_loss && config.eval.every == 0)
        user_error("--stop-when-done: nothing is measured by which a run is done",
                   config.dataset.holdout > 0 ? "it needs --set train.validate_every=1000 or --set eval.every=1000"
                                              : "it needs held-out images (--set dataset.holdout=0.1) or judged samples (--set "
                                                "eval.every=1000)");
}

// Returns the folder of a run: --out; without it the folder of --config if that is a run's own config.json, otherwise
// runs/<name of the configuration>.
fs::path folder_of_run(const TrainFlags& flags) {
    if (!flags.out.empty()) return without_detours(flags.out);
    const fs::path file = flags.config;
    if (!is_config_of_run(file)) return fs::path("runs") / file.stem();
    return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

// The folder of a run. It is locked against other processes before anything in it is read, unless --check is given, which only
// looks at it.
class RunPlace {
public:
    // Throws a user_error if another run or something that no run has made is in the way, or if another process holds the folder.
    explicit RunPlace(const TrainFlags& flags) : flags_(flags), folder_(folder_of_run(flags)) {
        // If no run was ever here, it refuses before it locks, so that no lock file is left behind.
        if (std::error_code ignored; !fs::exists(folder_ / ".lock", ignored)) refuse_another_run();
        if (std::error_code ignored; !flags.check && fs::is_directory(folder_, ignored)) lock_.emplace(folder_);
        refuse_another_run();
        if (lock_) finish_removal(folder_);
        if (flags.resume)
            checkpoint_ = flags.check ? newest_sound(folder_ / "checkpoints", NeededFiles::all) : set_damaged_aside(folder_);
    }

    const fs::path& folder() const { return folder_; }
    const std::optional<fs::path>& checkpoint() const { return checkpoint_; }  // from which it goes on

    // Makes the folder if it does not exist, and locks it if it is not locked yet.
    void enter() {
        make_folders(folder_);
        if (lock_) return;
        lock_.emplace(folder_);
        refuse_another_run();  // one may have begun and ended meanwhile
    }

private:
    void refuse_another_run() const {
        if (!holds_run(folder_)) return;
        if (const auto entry = foreign_entry(folder_, flags_.overwrite))
            refuse_to_replace(*entry, "is no part of a run", "move it, or train elsewhere with --out");
        if (!flags_.resume && !flags_.overwrite)
            user_error(folder_.string() + ": holds a run already",
                       "--resume goes on with it, --overwrite begins anew, --out trains elsewhere");
    }

    const TrainFlags& flags_;
    fs::path folder_;
    std::optional<FolderLock> lock_;
    std::optional<fs::path> checkpoint_;
};

// `data` must outlive the job.
TrainJob make_job(const Config& config, const RunPlace& place, const TrainingData& data, const Runtime& runtime,
                  const Kernels& kernels) {
    TrainJob job;
    job.folder = place.folder();
    job.config = write_config(config);
    job.seed = static_cast<uint64_t>(config.seed);
    job.unet = resolve_unet(config);
    warn_of_lone_channels(job.unet);
    job.diffusion = config.diffusion;
    job.train = config.train;
    job.dataset = &data.training();
    job.data = data.fingerprint;
    job.held_out = data.split.held_out.get();
    job.judging = config.eval;
    job.loader_threads = worker_count(config.dataset, runtime.threads);
    job.runtime = runtime;
    job.kernels = &kernels;
    job.checkpoint = place.checkpoint();
    job.draw_samples = [&data, config](UNet2D& ema, const fs::path& file, const std::function<bool()>& stop) {
        try {
            draw_preview(ema, config, data.whole->class_names(), file, stop);
        } catch (const Stopped&) {  // the run looks for a stop itself
        }
    };
    return job;
}

// The name in checkpoints/ of what a run that is done has found best.
std::string best_in(const fs::path& folder) {
    for (const char* name : {kBestByQuality, kBestByLoss})
        if (is_complete(folder / "checkpoints" / name)) return name;
    const auto newest = newest_checkpoint(folder);
    return newest ? newest->path.filename().string() : "";
}

// Logs what the user can do next.
void say_farewell(const TrainFlags& flags, const fs::path& folder, TrainEnd end) {
    if (end == TrainEnd::finished) {
        spdlog::info("finished; draw pictures with `ddpm sample --ckpt {} --n 64 --grid grid.png`", shell_word(folder.string()));
        return;
    }
    if (end == TrainEnd::done) {
        spdlog::info(
            "done; draw pictures with `ddpm sample --ckpt {} --n 64 --grid grid.png`; --resume without --stop-when-done goes on",
            shell_word((folder / "checkpoints" / best_in(folder)).string()));
        return;
    }
    std::string command = "ddpm train --config " + shell_word(flags.config) + " --resume";
    if (!flags.out.empty()) command += " --out " + shell_word(flags.out);
    for (const std::string& assignment : flags.assignments) command += " --set " + shell_word(assignment);
    if (!flags.max_time.empty()) command += " --max-time " + flags.max_time;
    command += flags.machine_words();
    if (flags.deterministic) command += " --deterministic";
    if (flags.stop_when_done) command += " --stop-when-done";
    spdlog::info("{}; `{}` goes on", stop_signal() == 0 ? "the time is up" : "stopped", command);
}

int run_train(const TrainFlags& flags) {
    ignore_sigpipe();
    check_flags(flags);
    const double deadline = deadline_of(flags.max_time);
    catch_checkpoint_signal();
    const GivenConfig given = read_given(flags.config, flags.assignments);
    if (!flags.resume) begun_config(given);  // refuses wrong settings before the folder is looked at
    RunPlace place(flags);
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start(flags.deterministic);
    Config config = place.checkpoint() ? continued_config(given, *place.checkpoint()) : begun_config(given);
    check_end_is_measured(flags, config);
    for (const std::string& warning : warnings_of(config)) spdlog::warn("{}", warning);
    settle_precision(config.train, kernels, runtime);
    if (place.checkpoint() && !flags.init_from.empty())
        spdlog::info("--init-from {}: ignored, the run goes on from its own checkpoint", flags.init_from);
    if (flags.check) check_run_writable(place.folder());
    if (flags.resume && resumed_step(place.folder(), place.checkpoint(), config) >= config.train.steps &&
        fs::exists(place.folder() / "loss.png") && (config.eval.every == 0 || fs::exists(place.folder() / kNeighboursSheet)))
        return 0;

    std::optional<InitialModel> initial;
    if (!place.checkpoint() && !flags.init_from.empty()) initial = open_initial(flags.init_from, config);
    const TrainingData data = open_training_data(config, place.checkpoint(), runtime.threads);
    TrainJob job = make_job(config, place, data, runtime, kernels);
    job.resume = flags.resume;
    std::optional<TrainingJudge> judge;
    if (config.eval.every > 0) job.judge = std::ref(judge.emplace(config, data, runtime.device));
    job.stop_when_done = flags.stop_when_done;
    if (initial) {
        job.initial = load_initial(*initial, config, *data.whole);
        job.initial_source = flags.init_from;
    }
    const MemoryForecast memory = forecast_memory(job);
    check_fits(memory, job.train);
    if (flags.check) {
        std::fputs(try_run(job, memory).c_str(), stdout);
        return 0;
    }

    place.enter();
    spdlog::info("training on {}", describe(runtime));
    spdlog::info("memory: {}", describe(memory, job.train));
    if (flags.overwrite) remove_run(place.folder());
    catch_stop_signals();
    job.stop_requested = [] { return stop_signal() != 0; };
    job.checkpoint_requested = take_checkpoint_request;
    job.deadline = deadline;
    const TrainEnd end = run_training(job);
    if (end != TrainEnd::stopped && judge && data.training().size() < TrainingJudge::kFewPictures)
        show_neighbours_of_run(place.folder(), config, runtime, kernels);
    say_farewell(flags, place.folder(), end);
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
    command.add_flag(
        "--resume", flags->resume,
        "go on from the newest complete checkpoint; settings that the configuration leaves out stay as the run has them");
    command.add_flag("--overwrite", flags->overwrite, "remove the run that lies in the folder and begin anew");
    command.add_flag("--check", flags->check, "do everything but train: read, build and try, say what was found, write nothing");
    command.add_option("--max-time", flags->max_time, "stop in time with a checkpoint: 90s, 30m, 2h, 1h30m, 1d");
    command.add_flag(
        "--stop-when-done", flags->stop_when_done,
        "stop, with a checkpoint, where the log says that there is nothing more to gain: the loss on held-out images rises, "
        "the quality of samples (section eval) stays as it is, or they are copies");
    command.add_option("--set", flags->assignments, "section.key=value: change one setting; may be given again")
        ->take_all()
        ->allow_extra_args(false);
    command.add_flag("--deterministic", flags->deterministic,
                     "on a GPU: the same numbers every time, as far as LibTorch can (a CPU does so for a given --threads)");
    flags->add_machine(command);
    return [flags] { return run_train(*flags); };
}

}  // namespace ddpm::cli
