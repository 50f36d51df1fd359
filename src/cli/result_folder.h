#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/core/staging.h"

namespace ddpm::cli {

// A folder of tables and pictures that a verb writes, and that only appears whole. It is known by its JSON, whose "format" is the
// verb; the other tables are known by that file beside them, pictures by what they say themselves.
struct ResultFolder {
    std::string verb;  // "ddpm compare"
    std::string noun;  // "comparison"
    std::string json;  // "compare.json"
    std::vector<std::string> tables, pictures;
};

// These are user_errors: anything in the folder that the verb has not written; an earlier result, unless `overwrite` is set; a folder that
// can't be replaced (place_of_folder).
void check_result_folder(const ResultFolder& kind, const std::filesystem::path& folder, bool overwrite);

// Gives `staged` its name, with `overwrite` in place of an earlier result. Returns the folder: it is NAME-2, NAME-3, … if somebody
// else has written into NAME meanwhile.
std::filesystem::path commit_result_folder(const ResultFolder& kind, StagedFolder& staged, const std::filesystem::path& target,
                                           bool overwrite);

}  // namespace ddpm::cli
