#include "ddpm/dataset/left_out.h"

#include <algorithm>
#include <map>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/normal_form.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

using Why = LeftOut::Why;

struct Wording {
    Why why;
    const char *one, *several;
};

constexpr Wording kWordings[] = {
    {Why::unreadable, "picture that can't be read", "pictures that can't be read"},
    {Why::other_format, "picture of a format that is not read", "pictures of formats that are not read"},
    {Why::back_up, "back-up copy", "back-up copies"},
    {Why::hidden, "hidden picture", "hidden pictures"},
    {Why::archive, "archive", "archives"},
    {Why::repeated, "link to a folder that is looked through already", "links to folders that are looked through already"},
    {Why::empty_class, "subfolder without a picture", "subfolders without a picture"},
    {Why::is_made_by_ddpm, "picture that this program has made", "pictures that this program has made"},
    {Why::run, "run of this program", "runs of this program"},
    {Why::product, "folder of a pipeline or of samples", "folders of pipelines or of samples"},
};

// " (9 TIFF, 9 WebP)" of formats, " (bee, wasp)" of folders, else nothing.
std::string details(Why why, const std::vector<const LeftOut*>& items) {
    constexpr size_t shown = 6;
    std::vector<std::string> words;
    if (why == Why::other_format) {
        std::map<std::string, int64_t> counts;
        for (const LeftOut* item : items) ++counts[item->format];
        for (const auto& [format, count] : counts) words.push_back(fmt::format("{} {}", count, format));
    } else if (why == Why::empty_class || why == Why::run || why == Why::product || why == Why::archive) {
        for (const LeftOut* item : items) words.push_back(printable(text_of_name(fs::path(item->path).filename().string())));
    } else {
        return {};
    }
    if (words.size() > shown) {
        words.resize(shown);
        words.emplace_back("…");
    }
    return " (" + join(words) + ")";
}

}  // namespace

std::string count_left_out(const std::vector<LeftOut>& all) {
    std::vector<std::string> parts;
    for (const Wording& wording : kWordings) {
        std::vector<const LeftOut*> items;
        for (const LeftOut& item : all)
            if (item.why == wording.why) items.push_back(&item);
        if (items.empty()) continue;
        parts.push_back(
            fmt::format("{} {}{}", items.size(), items.size() == 1 ? wording.one : wording.several, details(wording.why, items)));
    }
    return join(parts);
}

bool is_refused(const LeftOut& left_out) {
    return left_out.why != Why::is_made_by_ddpm && left_out.why != Why::run && left_out.why != Why::product;
}

void refuse_left_out(const std::vector<LeftOut>& all, const DatasetOptions& options) {
    if (options.on_broken != "error") return;
    const auto first = std::find_if(all.begin(), all.end(), is_refused);
    if (first == all.end()) return;
    const auto more = std::count_if(first + 1, all.end(), is_refused);
    user_error(one_line(first->reason) + (more > 0 ? fmt::format(" ({} more are left out)", more) : ""),
               "dataset.on_broken \"skip\" leaves out what can't be trained on");
}

}  // namespace ddpm
