#include "cli/train_check.h"

#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/describe.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/report/progress.h"
#include "ddpm/train/dry_step.h"

namespace ddpm::cli {

namespace {

// Refuses a folder that can't be written to or, if it does not exist, can't be made.
void check_could_write(const fs::path& given) {
    std::error_code ignored;
    fs::path folder = fs::absolute(given);
    for (int links = 0; !fs::exists(folder, ignored) && folder != folder.parent_path();) {
        if (own_type(folder) != fs::file_type::symlink) {
            folder = folder.parent_path();
            continue;
        }
        const fs::path real = behind_links(folder);  // a link to nothing: the folder is made where it leads
        if (own_type(real) == fs::file_type::symlink || ++links > 40)
            user_error(folder.string() + ": is a link that leads round in a circle");
        folder = real;
    }
    if (!fs::is_directory(folder, ignored)) user_error(folder.string() + ": is a file, expected a folder");
    check_writable(folder);
}

}  // namespace

void check_run_writable(const fs::path& run) {
    check_could_write(run);
    check_could_write(run / "checkpoints");
}

std::string try_run(const TrainJob& job, const MemoryForecast& memory) {
    const DryStep dry = dry_step(job);
    const int64_t images = job.train.batch_size;
    std::string text;
    const auto add = [&](const char* name, const std::string& value) { text += fmt::format("{:<12}{}\n", name, value); };
    add("run", fmt::format("{}, step {} of {}", job.folder.string(), dry.step, job.train.steps));
    add("device", describe(job.runtime));
    add("data set", fmt::format("{} images ({}){}", with_commas(job.dataset->size()), job.dataset->describe(),
                                job.held_out ? fmt::format(", {} more held out", with_commas(job.held_out->size())) : ""));
    add("network", describe_unet(job.unet));
    add("memory", describe(memory, job.train));
    add("first pass", fmt::format("{} images read in {}, forward and backward in {}: loss {:.4f}, gradient {:.3f}", images,
                                  format_duration(dry.load_seconds), format_duration(dry.pass_seconds), dry.loss, dry.grad_norm));
    if (!std::isfinite(dry.loss) || !std::isfinite(dry.grad_norm))
        runtime_failure(
            fmt::format("--check: the first pass has loss {} and gradient norm {}, expected finite ones", dry.loss, dry.grad_norm));
    return text;
}

}  // namespace ddpm::cli
