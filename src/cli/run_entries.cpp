#include "cli/run_entries.h"

#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/run_folder.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"

namespace ddpm {

namespace {

constexpr const char* kFiles[] = {"metrics.jsonl", "loss.png"};
constexpr const char* kFolders[] = {"samples", "checkpoints"};

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
}

// Whether a run keeps its configuration in this file: beside other things of a run, and whole, unlike what a person writes.
bool is_config_of_run(const fs::path& file) {
    const fs::path folder = file.parent_path();
    if (!is_there(folder / ".lock") && !is_there(folder / "metrics.jsonl") && !is_there(folder / "checkpoints")) return false;
    try {
        const Json config = read_json_file(file);
        if (!config.is_object()) return false;
        for (const char* key : {"seed", "dataset", "model", "diffusion", "train"})
            if (!config.contains(key)) return false;
        return true;
    } catch (const Error&) {
        return false;
    }
}

// Of samples/ and checkpoints/. Where no configuration shows that a run was here, a checkpoint has to be whole.
bool is_made_by_run(const fs::path& item, const std::string& folder, bool has_config) {
    const std::string name = item.filename().string(), begun = name_of_partial(name);
    if (!begun.empty()) return is_name_of_run(folder, begun);
    if (!is_name_of_run(folder, name)) return false;
    std::error_code ignored;
    if (folder == "samples") return has_config && fs::is_regular_file(item, ignored);
    if (name == "best") return fs::is_symlink(item, ignored);
    return fs::is_directory(item, ignored) && (has_config || is_complete(item));
}

}  // namespace

bool holds_run(const fs::path& folder) {
    if (is_there(folder / "config.json")) return true;
    for (const char* file : kFiles)
        if (is_there(folder / file)) return true;
    for (const char* below : kFolders)
        if (is_there(folder / below)) return true;
    return false;
}

std::optional<fs::path> foreign_entry(const fs::path& folder) {
    const fs::path config = folder / "config.json";
    const bool has_config = is_there(config);
    if (has_config && !is_config_of_run(config)) return config;
    for (const char* file : kFiles) {
        std::error_code ignored;
        if (is_there(folder / file) && !(has_config && fs::is_regular_file(folder / file, ignored))) return folder / file;
    }
    for (const char* below : kFolders) {
        std::error_code ignored;
        if (!is_there(folder / below)) continue;
        if (!fs::is_directory(folder / below, ignored)) return folder / below;
        for (const auto& item : fs::directory_iterator(folder / below, ignored))
            if (!is_made_by_run(item.path(), below, has_config)) return item.path();
    }
    return std::nullopt;
}

void remove_run(const fs::path& folder) {
    std::vector<fs::path> doomed;
    for (const char* file : kFiles) doomed.push_back(folder / file);
    for (const char* below : kFolders) {
        std::error_code ignored;
        for (const auto& item : fs::directory_iterator(folder / below, ignored)) doomed.push_back(item.path());
    }
    for (const fs::path& path : doomed) {
        std::error_code error;
        fs::remove_all(path, error);
        if (error) runtime_failure(fmt::format("{}: can't remove: {}", path.string(), error.message()));
    }
}

}  // namespace ddpm
