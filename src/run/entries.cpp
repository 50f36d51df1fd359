#include "ddpm/run/entries.h"

#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/staging.h"
#include "ddpm/run/run_folder.h"

namespace ddpm {

namespace {

constexpr const char* kFiles[] = {"metrics.jsonl", "loss.png"};
constexpr const char* kFolders[] = {"samples", "ema", "tensorboard", "checkpoints"};

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
}

// Whether a run has made `item`, which lies in one of kFolders. If nothing else shows that there was a run, a
// checkpoint has to be complete.
bool is_made_by_run(const fs::path& item, const std::string& folder, bool is_run) {
    const std::string name = item.filename().string(), begun = name_of_partial(name);
    if (!begun.empty()) return is_name_of_run(folder, begun);
    if (!is_name_of_run(folder, name)) return false;
    std::error_code ignored;
    if (folder != "checkpoints") return is_run && fs::is_regular_file(item, ignored);
    if (is_link_to_best(name) && fs::is_symlink(item, ignored)) return true;
    return type_of(item) == fs::file_type::directory && (is_complete(item) || (is_run && !is_link_to_best(name)));
}

// checkpoints/ is renamed to this and then emptied.
fs::path doomed_checkpoints(const fs::path& folder) { return folder / ".checkpoints.partial"; }

void remove_path(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) runtime_failure(fmt::format("{}: can't remove: {}", path.string(), error.message()));
}

void rename_path(const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::rename(from, to, error);
    if (error)
        runtime_failure(fmt::format("{}: can't rename it to {}: {}", from.string(), to.filename().string(), error.message()));
}

}  // namespace

// A run's config.json lies beside other things of a run and has every section, unlike one that a person writes. A
// damaged one counts if there is a checkpoint beside it.
bool is_config_of_run(const fs::path& file) {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    if (file.filename() != "config.json") return false;
    if (!is_there(folder / ".lock") && !is_there(folder / "metrics.jsonl") && !is_there(folder / "checkpoints")) return false;
    if (is_special(file)) return false;  // a pipe would wait for its writer
    Json config;
    try {
        config = read_json_file(file);
    } catch (const Unreadable&) {
        throw;
    } catch (const Error&) {
        return newest_checkpoint(folder).has_value();
    }
    if (!config.is_object()) return false;
    for (const char* key : {"seed", "dataset", "model", "diffusion", "train"})
        if (!config.contains(key)) return false;
    return true;
}

bool holds_run(const fs::path& folder) {
    if (is_there(folder / "config.json")) return true;
    for (const char* file : kFiles)
        if (is_there(folder / file)) return true;
    for (const char* below : kFolders)
        if (is_there(folder / below)) return true;
    return false;
}

std::optional<fs::path> foreign_entry(const fs::path& folder, bool all) {
    const fs::path config = folder / "config.json";
    const bool has_config = is_there(config), is_run = has_config || newest_checkpoint(folder);
    if (has_config && !is_config_of_run(config)) return config;
    for (const char* file : kFiles) {
        std::error_code ignored;
        if (is_there(folder / file) && !(is_run && fs::is_regular_file(folder / file, ignored))) return folder / file;
    }
    for (const char* below : kFolders) {
        std::error_code ignored;
        if (!is_there(folder / below)) continue;
        if (!fs::is_directory(folder / below, ignored)) return folder / below;
        for (const fs::path& item : entries_of(folder / below)) {
            const std::string name = item.filename().string();
            if (is_run && !all && !is_name_of_run(below, name)) continue;  // a run leaves it alone
            if (!is_made_by_run(item, below, is_run)) return item;
            if (all && fs::is_directory(fs::symlink_status(item, ignored)) && name_of_partial(name).empty())
                if (const auto inside = foreign_in_checkpoint(item)) return item / *inside;
        }
    }
    return std::nullopt;
}

void remove_run(const fs::path& folder) {
    const fs::path checkpoints = folder / "checkpoints";
    check_writable(folder);
    for (const char* below : kFolders)
        if (is_there(folder / below)) check_writable(folder / below);
    // All checkpoints vanish at one instant, so that a kill in between leaves none from which a run could be resumed.
    if (is_there(checkpoints)) rename_path(checkpoints, doomed_checkpoints(folder));
    finish_removal(folder);
    for (const char* file : kFiles) remove_path(folder / file);
    for (const char* below : {"samples", "ema", "tensorboard"})
        for (const fs::path& item : entries_of(folder / below)) remove_path(item);
    for (const char* below : {"ema", "tensorboard"}) {
        std::error_code ignored;
        if (fs::symlink_status(folder / below, ignored).type() == fs::file_type::directory) fs::remove(folder / below, ignored);
    }
}

void finish_removal(const fs::path& folder) {
    const fs::path doomed = doomed_checkpoints(folder), checkpoints = folder / "checkpoints";
    if (!is_there(doomed)) return;
    for (const fs::path& item : entries_of(doomed)) remove_path(item);
    std::error_code ignored;
    if (fs::is_symlink(doomed, ignored) && !is_there(checkpoints))
        rename_path(doomed, checkpoints);
    else
        remove_path(doomed);
}

}  // namespace ddpm
