#include "dataset/folder_walk.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

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
            is_fresh(above);
        }
        folders_.push_back(root);
        while (!folders_.empty() || !links_.empty()) enter(next());
        for (auto* paths : {&walk_.files, &walk_.others, &walk_.repeated, &walk_.runs})
            std::sort(paths->begin(), paths->end(), [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
        std::sort(walk_.subfolders.begin(), walk_.subfolders.end());
    }

    FolderWalk take() { return std::move(walk_); }

private:
    // The links come after all that is reached without them, the first by name first.
    fs::path next() {
        auto& from = folders_.empty() ? links_ : folders_;
        const auto first = folders_.empty() ? std::min_element(links_.begin(), links_.end()) : std::prev(folders_.end());
        fs::path path = *first;
        from.erase(first);
        return path;
    }

    bool is_fresh(const fs::path& folder) {
        struct stat status {};
        return ::stat(folder.c_str(), &status) == 0 && entered_.insert({status.st_dev, status.st_ino}).second;
    }

    void enter(const fs::path& folder) {
        const bool is_root = folder == root_;
        const fs::path relative = is_root ? fs::path() : folder.lexically_relative(root_);
        const bool hidden = is_hidden(relative);
        if (!is_fresh(folder)) {
            if (!hidden) walk_.repeated.push_back(folder);
            return;
        }
        std::error_code error;
        std::vector<fs::directory_entry> entries;
        fs::directory_iterator entry(folder, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) entries.push_back(*entry);
        if (error && hidden) return;
        if (error) user_error(fmt::format("{}: can't list: {}", folder.string(), error.message()));
        const bool is_run = holds_run_of_this_program(entries);
        if (is_run && !hidden) walk_.runs.push_back(folder);
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

    // By the names that a run gives (ddpm/run/run_folder.h): config.json, and metrics.jsonl or checkpoints.
    static bool holds_run_of_this_program(const std::vector<fs::directory_entry>& entries) {
        bool config = false, record = false;
        for (const fs::directory_entry& entry : entries) {
            const std::string name = entry.path().filename().string();
            config = config || name == "config.json";
            record = record || name == "metrics.jsonl" || name == "checkpoints";
        }
        return config && record;
    }

    const fs::path root_;
    FolderWalk walk_;
    std::vector<fs::path> folders_, links_;  // to be entered
    std::set<std::pair<dev_t, ino_t>> entered_;
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
