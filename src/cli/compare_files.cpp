#include "cli/compare_files.h"

#include <algorithm>
#include <optional>

#include <spdlog/fmt/fmt.h>

#include "cli/places.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm::cli {

namespace {

constexpr const char* kJsonFile = "compare.json";

// Whether this is the table of a comparison. Its name alone does not tell.
bool is_own_json(const fs::path& file) {
    try {
        const Json json = read_json_file(file, uint64_t{64} << 20);
        return json.is_object() && json.value("format", "") == "ddpm compare";
    } catch (const std::exception&) {
        return false;
    }
}

// Returns the first entry of the folder that `ddpm compare` has not written. The CSV and Markdown tables are known by the JSON
// beside them.
std::optional<fs::path> other_than_comparison(const fs::path& folder) {
    const bool compared = own_type(folder / kJsonFile) == fs::file_type::regular && is_own_json(folder / kJsonFile);
    for (const fs::path& entry : entries_of(folder)) {
        const std::string name = entry.filename().string();
        const bool table = name == kJsonFile || name == "compare.csv" || name == "compare.md";
        const bool picture = name == "sheet.png" || name == "error.png";
        const bool own = own_type(entry) == fs::file_type::regular && ((table && compared) || (picture && is_made_by_ddpm(entry)));
        if (!own) return entry;
    }
    return std::nullopt;
}

}  // namespace

void check_compare_folder(const fs::path& folder, bool overwrite) {
    const fs::path target = place_of_folder(folder);
    if (!is_present(target)) return check_can_make(target);
    check_writable(folder_of(target));  // where it is made before it is renamed
    if (!is_folder(target)) user_error(folder.string() + ": is a file, expected a folder for the comparison");
    if (!overwrite && entries_of(target).empty()) return;
    if (const auto other = other_than_comparison(target))
        refuse_to_replace(folder, fmt::format("holds {}, which `ddpm compare` has not written", quote(other->filename().string())),
                          "choose another --out");
    if (!overwrite) user_error(folder.string() + ": holds a comparison already", "--overwrite replaces it, --out writes elsewhere");
}

fs::path write_compared(StagedFolder& staged, const fs::path& target, bool overwrite, const Compared& compared) {
    write_file(staged.path() / kJsonFile, compared_as_json(compared));
    write_file(staged.path() / "compare.csv", compared_as_csv(compared));
    write_file(staged.path() / "compare.md", compared_as_markdown(compared));
    write_png(staged.path() / "sheet.png", draw_compared_sheet(compared), software_text());
    write_png(staged.path() / "error.png", draw_compared_errors(compared), software_text());
    return staged.commit(overwrite && is_folder(target) && !other_than_comparison(target));
}

}  // namespace ddpm::cli
