#include <algorithm>
#include <memory>
#include <optional>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/places.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/files.h"
#include "ddpm/core/staging.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"
#include "ddpm/run/power_ema.h"
#include "ddpm/run/rebuild.h"
#include "ddpm/run/resolve.h"

namespace ddpm::cli {

namespace {

struct EmaFlags {
    std::string run, out;
    std::optional<double> width;
    std::optional<int64_t> step;
    bool overwrite = false;
};

// Returns --out, or a name beside the run that says which average it is.
fs::path target_of(const EmaFlags& flags) {
    if (!flags.out.empty()) return flags.out;
    fs::path run = without_detours(flags.run);
    if (!run.has_filename()) run = run.parent_path();
    if (run.filename() == "." || run.filename() == "..") run = fs::weakly_canonical(fs::absolute(run));
    const std::string step = flags.step ? fmt::format("-step-{}", *flags.step) : "";
    return folder_of(run) / fmt::format("{}-ema-{}{}", run.filename().string(), *flags.width, step);
}

// Refuses to replace anything without --overwrite, and with it anything that this verb has not written.
void check_target(const EmaFlags& flags, const fs::path& target, const fs::path& place) {
    if (!is_present(place)) return check_can_make(place);
    if (!is_folder(place)) user_error(fmt::format("{}: is a file, expected a folder's name", target.string()));
    if (entries_of(place).empty()) return check_can_make(place);
    if (!is_rebuilt(place)) refuse_to_replace(target, "was not written by `ddpm ema`", "choose another name with --out");
    if (!flags.overwrite) user_error(target.string() + ": exists already", "--overwrite replaces it");
    check_writable(folder_of(place));
}

// Writes the average and returns where it is.
fs::path write_average(const EmaFlags& flags, const fs::path& place, const RebuiltFrom& from, const Rebuild& rebuild,
                       const NamedTensors& weights) {
    make_folders(folder_of(place));
    StagedFolder staged(place);
    write_rebuilt(staged.path(), from, rebuild, weights);
    throw_if_stopped();
    return staged.commit(flags.overwrite && is_rebuilt(place));
}

int run_ema(const EmaFlags& flags) {
    ignore_sigpipe();
    const std::string example = "for example: ddpm ema runs/shapes --width 0.08";
    if (flags.run.empty()) user_error("ema: of which run? give its folder", example);
    if (!flags.width) user_error("ema: of which width? give --width W", example);
    check_ema_width(*flags.width, "--width");
    const fs::path target = target_of(flags), place = place_of_folder(target);
    const fs::path run = fs::weakly_canonical(fs::absolute(flags.run)), goal = fs::weakly_canonical(fs::absolute(place));
    if (std::mismatch(run.begin(), run.end(), goal.begin(), goal.end()).first == run.end())
        user_error(fmt::format("--out: {}: lies in the run; choose a place beside it", target.string()));
    check_target(flags, target, place);
    catch_stop_signals();
    RebuiltFrom from;
    std::unique_ptr<UNet2D> network;
    const Rebuild rebuild = with_rebuild(flags.run, *flags.width, "--width", flags.step, "--step", [&](const Rebuild& planned) {
        from = with_checkpoint(flags.run, NeededFiles::drawing,
                               [&](const fs::path& checkpoint) { return read_rebuilt_from(flags.run, checkpoint); });
        network = std::make_unique<UNet2D>(from.unet);
        rebuild_into(planned, named_tensors(*network));
        return planned;
    });
    const NamedTensors weights = named_tensors(*network);
    throw_if_stopped();
    check_weights(weights, fmt::format("{}: the average", flags.run));
    spdlog::info("{}: {}", flags.run, describe(rebuild));
    warn_of_error(rebuild);
    const fs::path written = write_average(flags, place, from, rebuild, weights);
    const std::string shown = written == place ? target.string() : written.string();
    spdlog::info("wrote {}; draw pictures with `ddpm sample --ckpt {}`", shown, shell_word(shown));
    return 0;
}

}  // namespace

std::function<int()> add_ema(CLI::App& command) {
    auto flags = std::make_shared<EmaFlags>();
    command.add_option("run", flags->run, "the folder of a run that was trained with train.ema_widths");
    command
        .add_option(
            "--width", flags->width,
            fmt::format("of the average: the deviation of its profile as a fraction of the training, {}", ema_width_range()))
        ->check(number_in(0));
    command.add_option("--step", flags->step, "of the run (default: that of the newest snapshot)")->check(integer_in(1));
    command.add_option("--out", flags->out, "folder to write (default: RUN-ema-W beside the run)");
    command.add_flag("--overwrite", flags->overwrite, "replace what `ddpm ema` has written there");
    return [flags] { return run_ema(*flags); };
}

}  // namespace ddpm::cli
