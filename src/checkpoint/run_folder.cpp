#include "ddpm/checkpoint/run_folder.h"

#include <algorithm>
#include <charconv>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <zlib.h>

#include "checkpoint/checkpoint_files.h"
#include "ddpm/checkpoint/damage.h"
#include "ddpm/checkpoint/torch_file.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/options.h"

namespace ddpm {

namespace {

constexpr std::string_view kPrefix = "step-";

}  // namespace

bool is_complete(const fs::path& checkpoint) {
    return std::all_of(std::begin(kCheckpointFiles), std::end(kCheckpointFiles), [&](const char* file) {
        std::error_code ignored;
        return fs::is_regular_file(checkpoint / file, ignored);
    });
}

std::optional<int64_t> step_of(const std::string& name) {
    if (name.rfind(kPrefix, 0) != 0) return std::nullopt;
    int64_t step = 0;
    const char* end = name.data() + name.size();
    const auto [stop, code] = std::from_chars(name.data() + kPrefix.size(), end, step);
    if (code != std::errc() || stop != end || step < 0 || name != checkpoint_name(step)) return std::nullopt;
    return step;
}

std::vector<Checkpoint> step_folders(const fs::path& folder) {
    std::vector<Checkpoint> found;
    std::error_code ignored;
    for (const fs::path& entry : entries_of(folder))
        if (const auto step = step_of(entry.filename().string()); step && fs::is_directory(entry, ignored))
            found.push_back({*step, entry});
    std::sort(found.begin(), found.end(), [](const Checkpoint& a, const Checkpoint& b) { return a.step < b.step; });
    return found;
}

namespace {

// Renamed first to what sweep_partial knows: a kill must not leave a folder that is half a checkpoint.
void remove_checkpoint(const fs::path& path) {
    const fs::path doomed = path.parent_path() / fmt::format(".{}.partial", path.filename().string());
    std::error_code error;
    fs::rename(path, doomed, error);
    if (!error) fs::remove_all(doomed, error);
    if (error) runtime_failure(fmt::format("{}: can't remove: {}", path.string(), error.message()));
}

}  // namespace

std::string json_checksum(std::string text) {
    static const std::string before = fmt::format("\"{}\": \"", kCounters), zeros = kNoChecksum;
    if (const size_t at = text.find(before); at != text.npos && at + before.size() + zeros.size() < text.size())
        text.replace(at + before.size(), zeros.size(), zeros);
    return checksum_digits(static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size())));
}

std::string checkpoint_name(int64_t step) {
    return fmt::format("{}{:06}", kPrefix, step);
}

bool is_name_of_run(const std::string& folder, const std::string& name) {
    if (folder.empty()) {
        constexpr const char* names[] = {"config.json", "metrics.jsonl", "loss.png", "checkpoints"};
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    }
    if (folder == "samples") return name.ends_with(".png") && step_of(name.substr(0, name.size() - 4));
    return name == "best" || step_of(name.substr(0, name.find(kDamaged)));
}

std::vector<Checkpoint> list_checkpoints(const fs::path& run) {
    std::vector<Checkpoint> found = step_folders(run / "checkpoints");
    std::erase_if(found, [](const Checkpoint& checkpoint) { return !is_complete(checkpoint.path); });
    return found;
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& run) {
    const std::vector<Checkpoint> all = list_checkpoints(run);
    return all.empty() ? std::nullopt : std::optional(all.back());
}

fs::path write_checkpoint(const fs::path& run, int64_t step, const CheckpointContents& contents) {
    const fs::path folder = run / "checkpoints", target = folder / checkpoint_name(step);
    make_folders(folder);
    StagedFolder staged(target);
    const TrainingState& training = contents.training;
    write_pipeline(staged.path(), contents.unet, contents.scheduler, contents.ema_weights);
    make_folders(staged.path() / "training");
    write_safetensors(staged.path() / kRawWeights, training.weights);
    write_safetensors(staged.path() / kOptimizer, training.optimizer);
    write_file(staged.path() / kConfig, dump_json(training.config));
    write_file(staged.path() / kLabels, dump_json(Json(training.label_names)));
    Json counters = training.counters;
    counters["step"] = step;
    Json& sums = counters[kFileChecksums];
    for (const fs::path file : kCheckpointFiles)
        if (file.extension() == ".json" && file != kCounters)
            sums[file.string()] = json_checksum(read_file(staged.path() / file, kMaxJsonBytes));
    sums[kCounters] = kNoChecksum;
    sums[kCounters] = json_checksum(dump_json(counters));
    write_file(staged.path() / kCounters, dump_json(counters));
    staged.commit(true);
    return target;
}

WeightSource training_weights(const fs::path& checkpoint) {
    return WeightSource(checkpoint / kRawWeights);
}
WeightSource training_optimizer(const fs::path& checkpoint) {
    return WeightSource(checkpoint / kOptimizer);
}
Json training_counters(const fs::path& checkpoint) {
    return read_json_file(checkpoint / kCounters);
}
Json training_config(const fs::path& checkpoint) {
    return read_json_file(checkpoint / kConfig);
}

std::vector<std::string> training_label_names(const fs::path& checkpoint) {
    const fs::path path = checkpoint / kLabels;
    const Json list = read_json_file(path);
    if (!list.is_array()) wrong_value(list, path.string(), "a list of names");
    std::vector<std::string> names;
    for (const Json& name : list) names.push_back(read_text(name, path.string()));
    return names;
}

bool has_training(const fs::path& checkpoint) {
    const auto is_there = [&](const char* file) {
        std::error_code ignored;
        return fs::is_regular_file(checkpoint / file, ignored);
    };
    return is_there(kCounters) && is_there(kConfig) && is_there(kLabels);
}

int prune_checkpoints(const fs::path& run, int64_t keep_last, int64_t keep_every, const std::vector<int64_t>& kept) {
    std::vector<Checkpoint> all = list_checkpoints(run);
    const size_t newest = static_cast<size_t>(std::max<int64_t>(keep_last, 1));
    all.resize(all.size() - std::min(all.size(), newest));
    int removed = 0;
    for (const Checkpoint& checkpoint : all) {
        if (keep_every > 0 && checkpoint.step % keep_every == 0) continue;
        if (std::find(kept.begin(), kept.end(), checkpoint.step) != kept.end()) continue;
        remove_checkpoint(checkpoint.path);
        ++removed;
    }
    return removed;
}

void remove_checkpoints_after(const fs::path& run, int64_t step) {
    for (const Checkpoint& checkpoint : list_checkpoints(run))
        if (checkpoint.step > step) remove_checkpoint(checkpoint.path);
}

void mark_best_checkpoint(const fs::path& run, std::optional<int64_t> step) {
    const fs::path folder = run / "checkpoints", link = folder / "best", fresh = folder / ".best.partial";
    std::error_code error;
    // A copy of a run that followed links has a folder there.
    if (fs::is_directory(fs::symlink_status(link, error)) && is_complete(link)) remove_checkpoint(link);
    if (!step || !is_complete(folder / checkpoint_name(*step))) {
        fs::remove(link, error);
        return;
    }
    if (fs::read_symlink(link, error) == checkpoint_name(*step)) return;
    fs::remove(fresh, error);
    fs::create_directory_symlink(checkpoint_name(*step), fresh, error);
    if (!error) fs::rename(fresh, link, error);
    if (error) spdlog::warn("{}: can't be made a link to {}: {}", link.string(), checkpoint_name(*step), error.message());
}

fs::path resolve_checkpoint(const fs::path& path) {
    std::error_code ignored;
    const std::string name = path.string();
    if (!fs::exists(path, ignored))
        user_error(fmt::format("{}: not found; expected a run folder, a checkpoint, a diffusers pipeline or a .safetensors file", name));
    if (path.extension() == ".safetensors") return path;
    if (!fs::is_directory(path, ignored))
        user_error(
            fmt::format(
                "{}: is a file; expected a run folder, a checkpoint, a diffusers pipeline or a .safetensors file",
                name),
            is_torch_file(path) ? "`ddpm convert FILE FOLDER` reads what others saved with torch.save" : "");
    const bool is_run = fs::is_directory(path / "checkpoints", ignored);
    if (const auto newest = newest_sound(is_run ? path / "checkpoints" : path, Extent::drawing)) return *newest;
    if (fs::is_directory(path / "training", ignored))
        if (const auto damage = damage_of(path, Extent::drawing))
            user_error(fmt::format("{}: damaged: {}", name, *damage),
                       "name its run instead, and the newest sound checkpoint is taken");
    if (is_pipeline(path)) return path;
    if (is_run) user_error(fmt::format("{}: this run has no complete checkpoint yet", name));
    user_error(fmt::format("{}: neither a run folder, nor a checkpoint, nor a diffusers pipeline", name));
}

}  // namespace ddpm
