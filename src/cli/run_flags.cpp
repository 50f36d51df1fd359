#include "cli/run_flags.h"

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "cli/defaults.h"
#include "cli/validators.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"
#include "ddpm/run/power_ema.h"

namespace ddpm::cli {

void RunFlags::add_machine(CLI::App& command) {
    add_with_default(command, "--device", device, "auto, cpu, cuda or cuda:N");
    command.add_option("--threads", threads, "threads on the CPU (default: all cores)")->check(integer_in(1, 4096));
    add_with_default(command, "--kernels", kernels, join(kernel_names()) + "; plain: LibTorch's operators alone");
}

void RunFlags::add_weights(CLI::App& command) {
    add_with_default(command, "--weights", weights, "ema or raw");
    command
        .add_option("--ema-width", ema_width,
                    "of a run with train.ema_widths: take the average of this width, rebuilt from the snapshots in ema/")
        ->check(number_in(0));
}

void RunFlags::add_ema_step(CLI::App& command) {
    command.add_option("--step", ema_step, "--ema-width: at this step of the run (default: that of the newest snapshot)")
        ->check(integer_in(1));
}

void RunFlags::add_precision(CLI::App& command) {
    add_with_default(command, "--precision", precision,
                     "fp32, bf16 or auto: bf16 where the machine multiplies it in one instruction");
}

void RunFlags::check_names() const {
    read_choice(weights, "--weights", {"ema", "raw"});
    read_choice(precision, "--precision", {"fp32", "bf16", "auto"});
    if (ema_step && !ema_width)
        user_error("--step: belongs to --ema-width, which is not given", "--steps says in how many steps a picture is drawn");
    if (!ema_width) return;
    check_ema_width(*ema_width, "--ema-width");
    if (weights == "raw") user_error("--ema-width and --weights raw contradict each other; give one");
}

const Kernels& RunFlags::chosen_kernels() const { return kernels_named(kernels, "--kernels"); }

Runtime RunFlags::start(bool deterministic) const { return start_runtime(device, threads, deterministic, "--device"); }

std::string RunFlags::machine_words() const {
    const RunFlags defaults;
    std::string words;
    if (device != defaults.device) words += " --device " + shell_word(device);
    if (threads != defaults.threads) words += fmt::format(" --threads {}", threads);
    if (kernels != defaults.kernels) words += " --kernels " + kernels;
    return words;
}

}  // namespace ddpm::cli
