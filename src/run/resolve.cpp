#include "ddpm/run/resolve.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/torch_file.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/run/run_folder.h"

namespace ddpm {

namespace {

// Returns what an archive is, by the files in it.
FileLook look_into_archive(const fs::path& path, const FileLook& look) {
    try {
        const TorchFile archive(path);
        return look;
    } catch (const WrongKind& other) {
        return other.look();
    }
}

// Refuses a file, or nothing, by saying what it is and what to name instead.
[[noreturn]] void refuse_file(const fs::path& path, FileLook look, const char* expected) {
    if (look.kind == FileKind::safetensors) look.advice = "give it a name that ends in .safetensors";
    if (const fs::path folder = folder_of(path); look.kind != FileKind::missing && is_pipeline(folder))
        look.advice = fmt::format("{} is part of the model in {}; name that folder", path.filename().string(), folder.string());
    refuse_kind(path.string(), look, expected);
}

// What accelerate leaves while a training script of diffusers runs: folders checkpoint-500 and the like, in which the network lies
// in unet/ and unet_ema/, or as weights alone.
void refuse_accelerate(const fs::path& folder) {
    for (const char* weights :
         {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"})
        if (is_file(folder / weights) && !is_file(folder / "config.json"))
            user_error(
                fmt::format("{}: {} holds weights alone, and no config.json says of which network", folder.string(), weights),
                "put it beside its config.json as diffusion_pytorch_model.safetensors (or .bin) and name that folder");
    if (is_file(folder / "config.json"))
        for (const fs::path& entry : entries_of(folder))
            if (entry.extension() == ".safetensors" || entry.extension() == ".bin")
                user_error(fmt::format("{}: its weights are called {}, expected diffusion_pytorch_model{}", folder.string(),
                                       quote(entry.filename().string()), entry.extension().string()),
                           "give the file that name, or a link to it");
    constexpr size_t kShown = 4;
    std::vector<std::string> checkpoints;
    for (const fs::path& entry : entries_of(folder))
        if (entry.filename().string().starts_with("checkpoint-") && is_pipeline(entry) && checkpoints.size() <= kShown)
            checkpoints.push_back(checkpoints.size() < kShown ? entry.string() : "…");
    if (!checkpoints.empty())
        user_error(fmt::format("{}: holds checkpoints of accelerate, but is none; name one of them: {}", folder.string(),
                               join(checkpoints)));
}

// Returns the checkpoint of which `folder` is the network, so that its scheduler and the names of its classes are not lost; or
// `folder` itself.
fs::path whole_checkpoint(const fs::path& folder) {
    const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
    if (plain.filename() != "unet" || !has_training(folder_of(plain))) return folder;
    return folder_of(plain);
}

}  // namespace

void expect_model(const fs::path& path) {
    const FileLook look = look_at(path);
    for (const FileKind kind : {FileKind::folder, FileKind::safetensors, FileKind::zip, FileKind::pickle, FileKind::unknown})
        if (look.kind == kind) return;
    if (look.kind == FileKind::json && path.filename().string().find(".safetensors.index.") != std::string::npos) return;
    refuse_file(path, look,
                "a run folder, a checkpoint, a diffusers pipeline, a .safetensors file or a file of torch.save (.pt, .pth, .bin, "
                ".ckpt)");
}

fs::path resolve_checkpoint(const fs::path& named, NeededFiles needed) {
    const fs::path path = whole_checkpoint(named);
    const FileLook look = look_at(path);
    if (look.kind != FileKind::folder) {
        if (is_file(path) && path.extension() == ".safetensors") return path;
        refuse_file(path, look.kind == FileKind::zip ? look_into_archive(path, look) : look,
                    "a run folder, a checkpoint, a diffusers pipeline or a .safetensors file");
    }
    const std::string name = path.string();
    const bool is_run = is_folder(path / "checkpoints");
    if (const auto newest = newest_sound(is_run ? path / "checkpoints" : path, needed)) return *newest;
    if (is_folder(path / "training"))
        if (const auto damage = damage_of(path, needed))
            user_error(fmt::format("{}: damaged: {}", name, *damage),
                       "name its run instead, and the newest sound checkpoint is taken");
    if (is_pipeline(path)) return path;
    if (is_run) user_error(fmt::format("{}: this run has no complete checkpoint yet", name));
    refuse_accelerate(path);
    user_error(fmt::format("{}: neither a run folder, nor a checkpoint, nor a diffusers pipeline", name));
}

bool was_pruned(const fs::path& path, const fs::path& checkpoint) { return checkpoint != path && !is_present(checkpoint); }

}  // namespace ddpm
