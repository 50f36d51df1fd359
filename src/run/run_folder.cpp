#include "ddpm/run/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <set>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/memory.h"
#include "ddpm/core/normal_form.h"
#include "ddpm/core/options.h"
#include "ddpm/core/staging.h"
#include "ddpm/core/text.h"
#include "ddpm/run/event_files.h"
#include "ddpm/run/snapshots.h"
#include "run/checkpoint_files.h"

namespace ddpm {

namespace {

constexpr std::string_view kPrefix = "step-";

}  // namespace

bool is_complete(const fs::path& checkpoint) {
    return std::all_of(std::begin(run::kCheckpointFiles), std::end(run::kCheckpointFiles),
                       [&](const char* file) { return type_of(checkpoint / file) == fs::file_type::regular; });
}

namespace {

// The first thing in a checkpoint that no run writes. With `half_written` files count by the names that they were to get.
std::optional<fs::path> find_foreign(const fs::path& checkpoint, bool half_written) {
    std::vector<fs::path> pending{""};
    while (!pending.empty()) {
        const fs::path below = pending.back();
        pending.pop_back();
        for (const fs::path& entry : entries_of(checkpoint / below)) {
            const fs::path item = below / entry.filename();
            std::error_code ignored;
            const std::string whole = half_written ? name_of_partial(entry.filename().string()) : "";
            const fs::path name = whole.empty() ? item : below / whole;
            const bool folder = fs::is_directory(fs::symlink_status(entry, ignored));
            if (folder && (item == "unet" || item == "scheduler" || item == "training"))
                pending.push_back(item);
            else if (folder || std::find(std::begin(run::kCheckpointFiles), std::end(run::kCheckpointFiles), name) ==
                                   std::end(run::kCheckpointFiles))
                return item;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<fs::path> foreign_in_checkpoint(const fs::path& checkpoint) { return find_foreign(checkpoint, false); }

bool is_part_of_checkpoint(const fs::path& folder) { return !find_foreign(folder, true); }

fs::path run::free_name(const fs::path& path, const char* what) {
    fs::path name = path;
    name += what;
    std::error_code ignored;
    for (int number = 2; fs::exists(fs::symlink_status(name, ignored)); ++number)
        name = fmt::format("{}{}{}", path.string(), what, number);
    return name;
}

std::optional<int64_t> run::step_of(const std::string& name) {
    if (name.rfind(kPrefix, 0) != 0) return std::nullopt;
    int64_t step = 0;
    const char* end = name.data() + name.size();
    const auto [stop, code] = std::from_chars(name.data() + kPrefix.size(), end, step);
    if (code != std::errc() || stop != end || step < 0 || name != checkpoint_name(step)) return std::nullopt;
    return step;
}

std::vector<Checkpoint> run::step_folders(const fs::path& folder) {
    std::vector<Checkpoint> found;
    for (const fs::path& entry : entries_of(folder))
        if (const auto step = run::step_of(entry.filename().string()); step && type_of(entry) == fs::file_type::directory)
            found.push_back({*step, entry});
    std::sort(found.begin(), found.end(), [](const Checkpoint& a, const Checkpoint& b) { return a.step < b.step; });
    return found;
}

namespace {

// Renames the folder first, to a name that sweep_partial knows, so that a kill leaves no folder that is half a
// checkpoint. Files that no run has written stay, under a name that is not a checkpoint's.
void remove_checkpoint(const fs::path& path) {
    const std::string name = path.filename().string();
    const auto foreign = foreign_in_checkpoint(path);
    const fs::path doomed = foreign ? run::free_name(path, run::kRest) : path.parent_path() / fmt::format(".{}.partial", name);
    std::error_code error;
    fs::rename(path, doomed, error);
    if (!error && !foreign) fs::remove_all(doomed, error);
    for (const char* file : run::kCheckpointFiles)
        if (!error && foreign) fs::remove(doomed / file, error);
    if (error) runtime_failure(fmt::format("{}: can't remove: {}", path.string(), error.message()));
    if (!foreign) return;
    for (const char* folder : {"unet", "scheduler", "training"}) fs::remove(doomed / folder, error);  // where empty
    spdlog::warn("{}: holds {}, which no run has written and which is now in {}", path.string(), foreign->string(),
                 doomed.filename().string());
}

// Whether `text` is `word`, or `word` and a number.
bool is_numbered(std::string_view text, std::string_view word) {
    return text.starts_with(word) &&
           std::all_of(text.begin() + static_cast<long>(word.size()), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string run::json_checksum(std::string text) {
    static const std::string before = fmt::format("\"{}\": \"", run::kCounters), zeros = kNoChecksum;
    if (const size_t at = text.find(before); at != text.npos && at + before.size() + zeros.size() < text.size())
        text.replace(at + before.size(), zeros.size(), zeros);
    return checksum_digits(static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size())));
}

void run::write_counters(const fs::path& checkpoint, Json counters) {
    Json& sums = counters[run::kFileChecksums];
    for (const char* file : run::kCheckpointFiles)
        if (file != std::string_view(run::kCounters) && is_present(checkpoint / file))
            sums[file] = run::file_checksum(checkpoint, file);
    sums[run::kCounters] = kNoChecksum;
    sums[run::kCounters] = run::json_checksum(dump_json(counters));
    write_file(checkpoint / run::kCounters, dump_json(counters));
}

std::string run::file_checksum(const fs::path& checkpoint, const std::string& file) {
    if (fs::path(file).extension() == ".json") return run::json_checksum(read_file(checkpoint / file, run::max_json_bytes(file)));
    for (const auto& [key, value] : read_safetensors_header(checkpoint / file).metadata)
        if (key == kChecksumKey) return value;
    return "";
}

std::string checkpoint_name(int64_t step) { return fmt::format("{}{:06}", kPrefix, step); }

bool is_name_of_run(const std::string& folder, const std::string& name) {
    if (folder.empty()) {
        constexpr const char* names[] = {"config.json", "metrics.jsonl", "loss.png", "checkpoints"};
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    }
    if (folder == "ema") return snapshot_named(name).has_value();
    if (folder == "tensorboard") return is_event_file_name(name);
    if (folder == "samples") return name.ends_with(".png") && run::step_of(name.substr(0, name.size() - 4));
    const size_t end = std::min(name.find('.'), name.size());
    return is_link_to_best(name) ||
           (run::step_of(name.substr(0, end)) && (end == name.size() || is_numbered(name.substr(end), run::kDamaged)));
}

std::vector<Checkpoint> list_checkpoints(const fs::path& run) {
    std::vector<Checkpoint> found = run::step_folders(run / "checkpoints");
    std::erase_if(found, [](const Checkpoint& checkpoint) { return !is_complete(checkpoint.path); });
    return found;
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& run) {
    const std::vector<Checkpoint> all = list_checkpoints(run);
    return all.empty() ? std::nullopt : std::optional(all.back());
}

void check_label_names(const std::vector<std::string>& names) {
    uint64_t bytes = 4;  // brackets on lines of their own
    std::set<std::string> seen;
    for (const std::string& name : names) {
        if (!seen.insert(name).second)
            user_error(fmt::format("two classes are called {}: their subfolders' names look the same, and are different bytes",
                                   quote(name)),
                       "rename one of them, or put their pictures into one folder");
        bytes += dump_json(Json(name)).size() + 3;  // two blanks before it, a comma after it
    }
    if (bytes <= run::kMaxLabelsBytes) return;
    user_error(
        fmt::format("the names of {} classes take {}, more than the {} that a checkpoint keeps of them; give the subfolders "
                    "shorter names, or set model.num_class_embeds to null",
                    with_commas(static_cast<int64_t>(names.size())), format_bytes(static_cast<int64_t>(bytes)),
                    format_bytes(run::kMaxLabelsBytes)));
}

fs::path write_checkpoint(const fs::path& run, int64_t step, const CheckpointContents& contents) {
    const fs::path folder = run / "checkpoints", target = folder / checkpoint_name(step);
    make_folders(folder);
    StagedFolder staged(target);
    const TrainingState& training = contents.training;
    write_pipeline(staged.path(), contents.unet, contents.scheduler, contents.ema_weights);
    make_folders(staged.path() / "training");
    write_safetensors(staged.path() / run::kRawWeights, training.weights);
    write_safetensors(staged.path() / run::kOptimizer, training.optimizer);
    write_file(staged.path() / run::kConfig, dump_json(training.config));
    write_file(staged.path() / run::kLabels, dump_json(Json(training.label_names)));
    Json counters = training.counters;
    counters["step"] = step;
    run::write_counters(staged.path(), std::move(counters));
    if (foreign_in_checkpoint(target)) remove_checkpoint(target);
    staged.commit(true);
    return target;
}

WeightSource training_weights(const fs::path& checkpoint) { return WeightSource(checkpoint / run::kRawWeights); }
WeightSource training_optimizer(const fs::path& checkpoint) { return WeightSource(checkpoint / run::kOptimizer); }
Json training_counters(const fs::path& checkpoint) { return read_json_file(checkpoint / run::kCounters); }
Json training_config(const fs::path& checkpoint) { return read_json_file(checkpoint / run::kConfig); }

std::vector<std::string> training_label_names(const fs::path& checkpoint) {
    const fs::path path = checkpoint / run::kLabels;
    const Json list = read_json_file(path, run::kMaxLabelsBytes);
    if (!list.is_array()) wrong_value(list, path.string(), "a list of names");
    std::vector<std::string> names;
    for (const Json& name : list) names.push_back(text_of_name(read_text(name, path.string())));
    return names;
}

bool has_training(const fs::path& checkpoint) {
    const auto is_there = [&](const char* file) {
        std::error_code ignored;
        return fs::is_regular_file(checkpoint / file, ignored);
    };
    return is_there(run::kCounters) && is_there(run::kConfig) && is_there(run::kLabels);
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

bool is_link_to_best(const std::string& name) { return name == kBestByLoss || name == kBestByQuality; }

void mark_best_checkpoint(const fs::path& run, std::optional<int64_t> step, const char* link_name) {
    const fs::path folder = run / "checkpoints", link = folder / link_name, fresh = folder / fmt::format(".{}.partial", link_name);
    std::error_code error;
    // In a copy of a run that followed links this is a folder, which may be all that is left of its checkpoint.
    if (fs::is_directory(fs::symlink_status(link, error)) && is_complete(link)) {
        const Json counters = training_counters(link);
        const fs::path place =
            step && counters.is_object() && counters.value("step", Json()) == *step ? folder / checkpoint_name(*step) : fs::path();
        if (place.empty() || type_of(place) != fs::file_type::not_found)
            remove_checkpoint(link);
        else if (::rename(link.c_str(), place.c_str()) != 0)
            runtime_failure(
                fmt::format("{}: can't rename it to {}: {}", link.string(), place.filename().string(), std::strerror(errno)));
    }
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

}  // namespace ddpm
