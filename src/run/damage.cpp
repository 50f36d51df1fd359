#include "ddpm/run/damage.h"

#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"
#include "ddpm/run/rebuild.h"
#include "run/checkpoint_files.h"

namespace ddpm {

namespace {

bool matters(std::string_view file, NeededFiles needed) {
    return (needed != NeededFiles::drawing || file != run::kRawWeights) && (needed == NeededFiles::all || file != run::kOptimizer);
}

// Throws an Error that says what is wrong, if anything is.
void check(const fs::path& checkpoint, NeededFiles needed) {
    if (is_rebuilt(checkpoint)) needed = NeededFiles::drawing;  // it has no more
    for (const char* file : run::kCheckpointFiles) {
        if (!matters(file, needed)) continue;
        if (type_of(checkpoint / file) != fs::file_type::regular) user_error(fmt::format("{} is missing", file));
    }
    const Json counters = read_json_file(checkpoint / run::kCounters);
    const std::string source = (checkpoint / run::kCounters).string();
    if (!counters.is_object() || !counters.contains("step")) user_error(source + ": holds no step");
    const int64_t step = read_integer(counters["step"], source + ": step", Range::at_least(0));
    if (const auto named = run::step_of(checkpoint.filename().string()); named && *named != step)
        user_error(fmt::format("{}: is of step {}", source, step));
    for (const std::string file : run::kCheckpointFiles) {
        if (!matters(file, needed)) continue;
        const bool tensors = fs::path(file).extension() == ".safetensors";
        if (tensors) SafetensorsFile(checkpoint / file).verify();
        if (counters.contains(run::kFileChecksums)) {
            const Json& sums = counters[run::kFileChecksums];
            const bool known = sums.is_object() && sums.contains(file);
            const std::string sum = file == run::kCounters
                                        ? run::json_checksum(read_file(checkpoint / file, run::max_json_bytes(file)))
                                        : run::file_checksum(checkpoint, file);
            if (known ? sums[file] != sum : !tensors)  // older ones do not list tensor files
                user_error(fmt::format("{}: is not what was written: another checksum than training/counters.json says",
                                       (checkpoint / file).string()));
        }
        if (!tensors) read_json_file(checkpoint / file, run::max_json_bytes(file));
    }
}

}  // namespace

std::optional<std::string> damage_of(const fs::path& checkpoint, NeededFiles needed) {
    try {
        check(checkpoint, needed);
        return std::nullopt;
    } catch (const Unreadable&) {
        throw;
    } catch (const Error& error) {
        const std::string text = error.what(), folder = (checkpoint / "").string();
        return text.rfind(folder, 0) == 0 ? text.substr(folder.size()) : text;
    }
}

namespace {

struct Found {
    std::optional<fs::path> sound;
    std::vector<std::pair<fs::path, std::string>> damaged;
    bool changed = false;  // a checkpoint was removed while it was looked at
};

Found look_for_sound(const fs::path& checkpoints, NeededFiles needed) {
    std::vector<Checkpoint> all = run::step_folders(checkpoints);
    Found found;
    for (; !all.empty() && !found.sound; all.pop_back()) {
        const fs::path& path = all.back().path;
        auto why = damage_of(path, needed);
        found.changed = found.changed || (why && own_type(path) == fs::file_type::not_found);
        if (why)
            found.damaged.emplace_back(path, std::move(*why));
        else
            found.sound = path;
    }
    return found;
}

}  // namespace

std::optional<fs::path> newest_sound(const fs::path& checkpoints, NeededFiles needed) {
    Found found = look_for_sound(checkpoints, needed);
    while (found.changed) found = look_for_sound(checkpoints, needed);  // a run removes its old ones
    const auto& [sound, damaged, unused] = found;
    if (damaged.empty()) return sound;
    if (!sound)
        user_error(
            fmt::format("{}: all of its checkpoints are damaged; the newest: {}", checkpoints.string(), damaged.front().second),
            fmt::format("`ddpm info --verify {}` tells about each", shell_word(checkpoints.string())));
    for (const auto& [path, why] : damaged)
        spdlog::warn("{} is damaged ({}); taking {} instead", path.string(), why, sound->filename().string());
    return sound;
}

std::optional<fs::path> set_damaged_aside(const fs::path& run) {
    const fs::path checkpoints = run / "checkpoints";
    const auto sound = newest_sound(checkpoints, NeededFiles::all);
    if (!sound) return std::nullopt;
    const std::vector<Checkpoint> all = run::step_folders(checkpoints);
    for (auto newest = all.rbegin(); newest != all.rend() && newest->path != *sound; ++newest) {
        const fs::path aside = run::free_name(newest->path, run::kDamaged);
        std::error_code error;
        fs::rename(newest->path, aside, error);
        if (error)
            runtime_failure(
                fmt::format("{}: can't rename it to {}: {}", newest->path.string(), aside.filename().string(), error.message()));
        spdlog::info("{} is now called {}; it may be removed", newest->path.string(), aside.filename().string());
    }
    return sound;
}

}  // namespace ddpm
