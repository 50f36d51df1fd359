#include "ddpm/run/resolve.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/torch_file.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"

namespace ddpm {

fs::path resolve_checkpoint(const fs::path& path, NeededFiles needed) {
    std::error_code ignored;
    const std::string name = path.string();
    if (!fs::exists(path, ignored))
        user_error(
            fmt::format("{}: not found; expected a run folder, a checkpoint, a diffusers pipeline or a .safetensors file", name));
    if (path.extension() == ".safetensors") return path;
    if (!fs::is_directory(path, ignored))
        user_error(
            fmt::format("{}: is a file; expected a run folder, a checkpoint, a diffusers pipeline or a .safetensors file", name),
            is_torch_file(path) ? "`ddpm convert FILE FOLDER` reads what others saved with torch.save" : "");
    const bool is_run = fs::is_directory(path / "checkpoints", ignored);
    if (const auto newest = newest_sound(is_run ? path / "checkpoints" : path, needed)) return *newest;
    if (fs::is_directory(path / "training", ignored))
        if (const auto damage = damage_of(path, needed))
            user_error(fmt::format("{}: damaged: {}", name, *damage),
                       "name its run instead, and the newest sound checkpoint is taken");
    if (is_pipeline(path)) return path;
    if (is_run) user_error(fmt::format("{}: this run has no complete checkpoint yet", name));
    user_error(fmt::format("{}: neither a run folder, nor a checkpoint, nor a diffusers pipeline", name));
}

}  // namespace ddpm
