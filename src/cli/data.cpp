#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/config.h"
#include "cli/defaults.h"
#include "cli/duplicates.h"
#include "cli/places.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/runtime.h"
#include "ddpm/dataset/inspect.h"
#include "ddpm/image/codec.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::cli {

namespace {

struct DataFlags {
    std::string source, sheet, pairs;
    bool duplicates = false;
    std::vector<std::string> assignments;
    int count = 64;
};

// Returns the configuration that `source` names, or for a folder the defaults with the folder as data set.
Config data_config(const DataFlags& flags) {
    expect_data_source(flags.source);
    if (!is_folder(flags.source)) return load_config(flags.source, flags.assignments);
    if (!is_utf8(flags.source))
        user_error(quote(flags.source) + ": a name that is not UTF-8, which no configuration can hold; rename the folder");
    std::vector<std::string> assignments{"dataset.type=image_folder", "dataset.path=" + Json(flags.source).dump()};
    assignments.insert(assignments.end(), flags.assignments.begin(), flags.assignments.end());
    return read_assignments(assignments);
}

bool is_below(const fs::path& file, const fs::path& folder) {
    std::error_code ignored;
    const fs::path inner = fs::weakly_canonical(fs::absolute(file), ignored),
                   outer = fs::weakly_canonical(fs::absolute(folder), ignored);
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// Training with labels refuses such names.
void warn_of_label_names(const DatasetReport& report) {
    std::vector<std::string> names;
    for (const DatasetReport::Count& kind : report.classes) names.push_back(kind.name);
    try {
        check_label_names(names);
    } catch (const Error& error) {
        spdlog::warn("{}", error.what());
    }
}

int run_data(const DataFlags& flags) {
    if (flags.source.empty())
        user_error("data: which data set? give a configuration or a folder of pictures",
                   "for example: ddpm data pictures --sheet sheet.png");
    if (!flags.pairs.empty() && !flags.duplicates) user_error("--pairs: shows what --duplicates finds; give that too");
    const std::vector<ResultFile> results{{"--sheet", flags.sheet}, {"--pairs", flags.pairs}};
    check_places(results);
    const Config config = data_config(flags);
    for (const ResultFile& result : results)
        if (!result.file.empty() && config.dataset.type == "image_folder" && is_below(result.file, config.dataset.path))
            user_error(fmt::format("{}: {}: lies among the pictures, and would be one of them; choose another place", result.flag,
                                   result.file.string()));
    const auto seed = static_cast<uint64_t>(config.seed);
    const int threads = find_runtime("cpu", 0).threads;
    const DatasetReport report = inspect_dataset(config.dataset, seed, threads);
    std::fputs(format_report(report).c_str(), stdout);
    refuse_left_out(report.left_out, config.dataset);
    warn_of_label_names(report);
    if (flags.sheet.empty() && !flags.duplicates) return 0;
    const std::shared_ptr<const Dataset> dataset = open_dataset(config.dataset, seed, threads);
    if (flags.duplicates) report_duplicates(config, dataset, threads, flags.pairs);
    if (!flags.sheet.empty()) {
        write_png(flags.sheet, contact_sheet(*dataset, flags.count), software_text());
        spdlog::info("wrote {}", flags.sheet);
    }
    return 0;
}

}  // namespace

std::function<int()> add_data(CLI::App& command) {
    auto flags = std::make_shared<DataFlags>();
    command.add_option("source", flags->source, "a configuration (JSON) or a folder of pictures");
    command.add_option("--sheet", flags->sheet, "write a contact sheet, as training sees the pictures, to this PNG");
    add_with_default(command, "--count", flags->count, "pictures on the sheet")->check(integer_in(1, 10000));
    command.add_flag("--duplicates", flags->duplicates,
                     "find pictures that are there twice, the same or nearly, and held-out ones that training has too");
    command.add_option("--pairs", flags->pairs, "write what --duplicates finds, side by side, to this PNG");
    command.add_option("--set", flags->assignments, "section.key=value: change one setting; may be given again")
        ->take_all()
        ->allow_extra_args(false);
    return [flags] { return run_data(*flags); };
}

}  // namespace ddpm::cli
