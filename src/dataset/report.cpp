// The text of `ddpm data`.

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/memory.h"
#include "ddpm/dataset/inspect.h"

namespace ddpm {

namespace {

using Count = DatasetReport::Count;

// Returns "a 12, b 7, 3 more kinds 10": the first `shown` counts, and the sum of the others.
std::string listing(const std::vector<Count>& counts, size_t shown) {
    std::vector<std::string> words;
    for (size_t i = 0; i < std::min(shown, counts.size()); ++i)
        words.push_back(fmt::format("{} {}", counts[i].name.empty() ? "(none)" : one_line(counts[i].name), counts[i].count));
    if (counts.size() > shown) {
        int64_t rest = 0;
        for (size_t i = shown; i < counts.size(); ++i) rest += counts[i].count;
        words.push_back(fmt::format("{} more kinds {}", counts.size() - shown, rest));
    }
    return join(words);
}

std::string classes_text(const std::vector<Count>& classes) {
    const auto [least, most] =
        std::minmax_element(classes.begin(), classes.end(), [](const Count& a, const Count& b) { return a.count < b.count; });
    std::string text = fmt::format("{}: {}", classes.size(), listing(classes, 12));
    if (most->count > 2 * least->count) text += fmt::format("; unbalanced, {} to {} in a class", least->count, most->count);
    return text;
}

std::string training_text(const DatasetReport& report) {
    const DatasetOptions& options = report.options;
    const char* color = options.channels == 1 ? "grey" : options.channels == 3 ? "RGB" : "RGBA";
    std::string text = fmt::format("{}x{} {}", options.width, options.height, color);
    if (options.type == "image_folder") text += fmt::format(", {} crop", options.crop);
    if (options.random_flip) text += ", random flip";
    if (report.transparent > 0 && options.channels != 4)
        text += fmt::format(", {} with alpha over background {},{},{}", report.transparent, options.background[0],
                            options.background[1], options.background[2]);
    if (report.enlarged > 0) text += fmt::format(", {} smaller than that are enlarged", report.enlarged);
    return text;
}

// The reasons of the first ones, and how many there are of each kind.
void add_left_out(std::string& text, const std::vector<LeftOut>& left_out) {
    if (left_out.empty()) return;
    constexpr size_t shown = 10;
    for (size_t i = 0; i < std::min(shown, left_out.size()); ++i)
        text += fmt::format("  {:<9} {}\n", i == 0 ? "unused" : "", one_line(left_out[i].reason));
    if (left_out.size() > shown) text += fmt::format("  {:<9} … and {} more\n", "", left_out.size() - shown);
    text += fmt::format("  {:<9} {}\n", "left out", count_left_out(left_out));
}

}  // namespace

std::string format_report(const DatasetReport& report) {
    const DatasetOptions& options = report.options;
    std::string text = plural(report.images, "image");
    const auto broken = std::count_if(report.left_out.begin(), report.left_out.end(), [](const LeftOut& item) {
        return item.why == LeftOut::Why::unreadable || item.why == LeftOut::Why::other_format;
    });
    if (broken > 0) text += fmt::format(", {} broken", broken);
    text += fmt::format(" ({})\n", report.source);
    const auto line = [&text](const char* name, const std::string& value) { text += fmt::format("  {:<9} {}\n", name, value); };
    line("classes", report.classes.empty() ? "none: not every picture lies in a subfolder" : classes_text(report.classes));
    if (!report.sizes.empty()) {
        line("sizes",
             fmt::format("smallest {}, median {}, largest {} (width x height)", report.smallest, report.median, report.largest));
        line("", listing(report.sizes, 6));
        line("formats", listing(report.formats, 8));
        line("channels", listing(report.kinds, 8));
    }
    line("training", training_text(report));
    if (report.bytes > 0)
        line("memory", fmt::format("{} at that size, {} (dataset.cache_mb {})", format_bytes(report.bytes),
                                   report.kept ? "kept" : "too much to keep: decoded each time", options.cache_mb));
    if (report.is_made_by_ddpm) line("made by", "this program, all of them");
    if (report.hidden > 0 || !report.others.empty()) {
        std::vector<std::string> skipped;
        if (report.hidden > 0) skipped.push_back(plural(report.hidden, "hidden file"));
        if (!report.others.empty()) skipped.push_back("no pictures: " + listing(report.others, 6));
        line("skipped", join(skipped, "; "));
    }
    add_left_out(text, report.left_out);
    return text;
}

}  // namespace ddpm
