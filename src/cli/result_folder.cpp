#include "cli/result_folder.h"

#include <algorithm>
#include <optional>

#include <spdlog/fmt/fmt.h>

#include "cli/places.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm::cli {

namespace {

// Whether this is the verb's JSON. Its name alone does not tell.
bool is_json_of(const ResultFolder& kind, const fs::path& file) {
    try {
        const Json json = read_json_file(file, uint64_t{64} << 20);
        return json.is_object() && json.value("format", "") == kind.verb;
    } catch (const std::exception&) {
        return false;
    }
}

// Returns the first entry of the folder that the verb has not written.
std::optional<fs::path> other_than_result(const ResultFolder& kind, const fs::path& folder) {
    const auto among = [](const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    const bool known = own_type(folder / kind.json) == fs::file_type::regular && is_json_of(kind, folder / kind.json);
    for (const fs::path& entry : entries_of(folder)) {
        const std::string name = entry.filename().string();
        const bool table = name == kind.json || among(kind.tables, name);
        const bool own = own_type(entry) == fs::file_type::regular &&
                         ((table && known) || (among(kind.pictures, name) && is_made_by_ddpm(entry)));
        if (!own) return entry;
    }
    return std::nullopt;
}

}  // namespace

void check_result_folder(const ResultFolder& kind, const fs::path& folder, bool overwrite) {
    const fs::path target = place_of_folder(folder);
    if (!is_present(target)) return check_can_make(target);
    check_writable(folder_of(target));  // where it is made before it is renamed
    if (!is_folder(target)) user_error(fmt::format("{}: is a file, expected a folder for the {}", folder.string(), kind.noun));
    if (!overwrite && entries_of(target).empty()) return;
    if (const auto other = other_than_result(kind, target))
        refuse_to_replace(folder, fmt::format("holds {}, which `{}` has not written", quote(other->filename().string()), kind.verb),
                          "choose another --out");
    if (!overwrite)
        user_error(fmt::format("{}: holds a {} already", folder.string(), kind.noun),
                   "--overwrite replaces it, --out writes elsewhere");
}

fs::path commit_result_folder(const ResultFolder& kind, StagedFolder& staged, const fs::path& target, bool overwrite) {
    return staged.commit(overwrite && is_folder(target) && !other_than_result(kind, target));
}

}  // namespace ddpm::cli
