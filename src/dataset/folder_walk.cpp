#include "dataset/folder_walk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/json.h"

namespace ddpm::dataset {

namespace {

// Thumbnails, waste bins and the like of macOS, Windows, Synology and QNAP.
constexpr std::array<std::string_view, 7> kFoldersOfSystems{
    "__MACOSX", "@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"};

class Walker {
public:
    explicit Walker(const fs::path& root) : root_(root) {
        // A link that leads above the root would bring it in once more.
        std::error_code ignored;
        const fs::path absolute = fs::canonical(root, ignored);
        for (fs::path above = absolute; above.has_relative_path();) {
            above = above.parent_path();
            if (const auto place = place_of(above, ignored)) entered_.emplace(*place, &walk_.repeated);
        }
        folders_.push_back(root);
        while (!folders_.empty() || !links_.empty()) enter(next());
        for (auto* paths : {&walk_.files, &walk_.others, &walk_.repeated, &walk_.runs, &walk_.products})
            std::sort(paths->begin(), paths->end(), [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
        std::sort(walk_.subfolders.begin(), walk_.subfolders.end());
    }

    FolderWalk take() { return std::move(walk_); }

private:
    using Place = std::pair<dev_t, ino_t>;

    // The links come after all that is reached without them, the first by name first.
    fs::path next() {
        auto& from = folders_.empty() ? links_ : folders_;
        const auto first = folders_.empty() ? std::min_element(links_.begin(), links_.end()) : std::prev(folders_.end());
        fs::path path = *first;
        from.erase(first);
        return path;
    }

    static std::optional<Place> place_of(const fs::path& folder, std::error_code& error) {
        struct stat status {};
        if (::stat(folder.c_str(), &status) == 0) return Place(status.st_dev, status.st_ino);
        error.assign(errno, std::generic_category());
        return std::nullopt;
    }

    void enter(const fs::path& folder) {
        const bool is_root = folder == root_;
        const fs::path relative = is_root ? fs::path() : folder.lexically_relative(root_);
        const bool hidden = is_hidden(relative);
        std::error_code error;
        const auto place = place_of(folder, error);
        if (!place && hidden) return;
        if (!place) user_error(fmt::format("{}: can't read: {}", folder.string(), error.message()));
        const auto [entered, is_fresh] = entered_.emplace(*place, &walk_.repeated);
        if (!is_fresh) {
            if (!hidden) entered->second->push_back(folder);
            return;
        }
        std::vector<fs::directory_entry> entries;
        fs::directory_iterator entry(folder, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) entries.push_back(*entry);
        if (error && hidden) return;
        if (error) user_error(fmt::format("{}: can't list: {}", folder.string(), error.message()));
        const bool is_run = holds_run_of_this_program(folder, entries);
        if (is_run && !hidden) walk_.runs.push_back(folder);
        const bool is_product = !is_run && !is_root && !hidden && (holds_pipeline(folder) || holds_one_file_of_samples(entries));
        if (is_product) walk_.products.push_back(folder);
        if (is_run && !is_root) entered->second = &walk_.runs;
        if (is_product) entered->second = &walk_.products;
        if (is_run && !is_root) return;
        if (!hidden && !is_root && std::next(relative.begin()) == relative.end()) walk_.subfolders.push_back(relative.string());
        for (const fs::directory_entry& item : entries) add(item, is_run);
    }

    void add(const fs::directory_entry& item, bool in_run) {
        std::error_code ignored;
        const std::string name = item.path().filename().string();
        if (item.is_regular_file(ignored)) {
            walk_.files.push_back(item.path());
        } else if (!item.is_directory(ignored)) {
            walk_.others.push_back(item.path());
        } else if (!in_run || (name != "samples" && name != "checkpoints")) {
            (item.is_symlink(ignored) ? links_ : folders_).push_back(item.path());
        }
    }

    // By the names that a run gives (ddpm/run/run_folder.h): config.json, and metrics.jsonl or checkpoints. A class of somebody
    // else may have them too, so that there has to be a checkpoint, or the configuration has to have a run's sections.
    static bool holds_run_of_this_program(const fs::path& folder, const std::vector<fs::directory_entry>& entries) {
        bool config = false, record = false;
        for (const fs::directory_entry& entry : entries) {
            const std::string name = entry.path().filename().string();
            config = config || name == "config.json";
            record = record || name == "metrics.jsonl" || name == "checkpoints";
        }
        return config && record &&
               (holds_step(folder / "checkpoints") ||
                holds_object(folder / "config.json", {"dataset", "model", "diffusion", "train"}));
    }

    // Whether one of the folders in checkpoints/ has a name like step-001000.
    static bool holds_step(const fs::path& checkpoints) {
        constexpr std::string_view prefix = "step-";
        constexpr size_t least_digits = 6;
        std::error_code error, ignored;
        fs::directory_iterator entry(checkpoints, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
            const std::string name = entry->path().filename().string();
            if (name.starts_with(prefix) && name.size() >= prefix.size() + least_digits &&
                name.find_first_not_of("0123456789", prefix.size()) == name.npos && entry->is_directory(ignored))
                return true;
        }
        return false;
    }

    // Whether a file is a JSON object with these keys.
    static bool holds_object(const fs::path& file, std::initializer_list<const char*> keys) {
        if (!is_file(file)) return false;  // a pipe would wait for its writer
        try {
            const Json object = read_json_file(file);
            return object.is_object() &&
                   std::all_of(keys.begin(), keys.end(), [&](const char* key) { return object.contains(key); });
        } catch (const Error&) {
            return false;
        }
    }

    // A checkpoint is a pipeline with more beside it.
    static bool holds_pipeline(const fs::path& folder) {
        return is_folder(folder / "unet") && holds_object(folder / "model_index.json", {"_class_name", "unet"});
    }

    static bool holds_one_file_of_samples(const std::vector<fs::directory_entry>& entries) {
        std::error_code ignored;
        const auto is_shown = [](const fs::directory_entry& entry) { return !is_hidden(entry.path().filename()); };
        const auto first = std::find_if(entries.begin(), entries.end(), is_shown);
        if (std::count_if(entries.begin(), entries.end(), is_shown) != 1 || !first->is_regular_file(ignored)) return false;
        const std::string name = first->path().filename().string();
        return name == "samples.npz" || name == "samples.safetensors";
    }

    const fs::path root_;
    FolderWalk walk_;
    std::vector<fs::path> folders_, links_;            // to be entered
    std::map<Place, std::vector<fs::path>*> entered_;  // and the list that a link to it is put into
};

}  // namespace

FolderWalk walk_folder(const fs::path& root) { return Walker(root).take(); }

bool is_hidden(const fs::path& relative) {
    return std::any_of(relative.begin(), relative.end(), [](const fs::path& part) {
        const std::string& name = part.native();
        return name.starts_with('.') ||
               std::find(kFoldersOfSystems.begin(), kFoldersOfSystems.end(), name) != kFoldersOfSystems.end();
    });
}

}  // namespace ddpm::dataset
