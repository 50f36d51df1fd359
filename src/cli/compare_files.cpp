#include "cli/compare_files.h"

#include "cli/result_folder.h"
#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"

namespace ddpm::cli {

namespace {

const ResultFolder kComparison{
    "ddpm compare", "comparison", "compare.json", {"compare.csv", "compare.md"}, {"sheet.png", "error.png"}};

}  // namespace

void check_compare_folder(const fs::path& folder, bool overwrite) { check_result_folder(kComparison, folder, overwrite); }

fs::path write_compared(StagedFolder& staged, const fs::path& target, bool overwrite, const Compared& compared) {
    write_file(staged.path() / kComparison.json, compared_as_json(compared));
    write_file(staged.path() / "compare.csv", compared_as_csv(compared));
    write_file(staged.path() / "compare.md", compared_as_markdown(compared));
    write_png(staged.path() / "sheet.png", draw_compared_sheet(compared), software_text());
    write_png(staged.path() / "error.png", draw_compared_errors(compared), software_text());
    return commit_result_folder(kComparison, staged, target, overwrite);
}

}  // namespace ddpm::cli
