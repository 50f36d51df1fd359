#pragma once

#include <filesystem>

#include "cli/compared.h"
#include "ddpm/core/staging.h"

namespace ddpm::cli {

// The folder of `ddpm compare`: sheet.png, error.png, compare.json, compare.csv and compare.md, which appear together.

// These are user_errors: anything in the folder that `ddpm compare` has not written; an earlier comparison, unless `overwrite`
// is set; a folder that can't be replaced (place_of_folder).
void check_compare_folder(const std::filesystem::path& folder, bool overwrite);

// Writes the files into `staged` and gives it its name, with `overwrite` in place of an earlier comparison. Returns the folder: it
// is NAME-2, NAME-3, … if somebody else has written into NAME meanwhile.
std::filesystem::path write_compared(StagedFolder& staged, const std::filesystem::path& target, bool overwrite,
                                     const Compared& compared);

}  // namespace ddpm::cli
