#include "ddpm/report/report_pictures.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/transform.h"

namespace ddpm {

namespace {

constexpr size_t kMostPictures = 60;
constexpr size_t kLeastShare = 16;  // a picture gets at least this part of the budget, so that few large ones stay large
constexpr uint64_t kLargestFile = uint64_t{64} << 20;

// Returns the step of "step-001000.png", and nothing for another name.
std::optional<int64_t> step_of_picture(const std::string& name) {
    constexpr std::string_view head = "step-", tail = ".png";
    if (!name.starts_with(head) || !name.ends_with(tail) || name.size() < head.size() + tail.size() + 1) return std::nullopt;
    int64_t step = 0;
    const char* const end = name.data() + name.size() - tail.size();
    const auto [stop, error] = std::from_chars(name.data() + head.size(), end, step);
    if (error != std::errc() || stop != end || step < 0) return std::nullopt;
    return step;
}

// Returns `count` of the elements, evenly spread, the last one among them, and from two on the first.
template <class Element>
std::vector<Element> evenly(const std::vector<Element>& all, size_t count) {
    if (count >= all.size()) return all;
    std::vector<Element> some;
    for (size_t i = 0; i < count; ++i) some.push_back(all[count == 1 ? all.size() - 1 : i * (all.size() - 1) / (count - 1)]);
    return some;
}

size_t bytes_of(const std::vector<ReportPicture>& pictures) {
    size_t bytes = 0;
    for (const ReportPicture& picture : pictures) bytes += picture.png.size();
    return bytes;
}

}  // namespace

ReportPicture read_report_picture(const fs::path& file, size_t budget) {
    ReportPicture picture;
    picture.png = read_file(file, kLargestFile);
    Image image = decode_image(picture.png, file.string(), {.channels = 4});
    picture.width = image.width;
    const int whole = image.width;
    while (picture.png.size() > budget && std::min(image.width, image.height) > 16) {
        image = resize(image, image.width * 3 / 4, image.height * 3 / 4);
        picture.png = encode_png(image);
        picture.width = image.width;
        picture.reduced_from = whole;
    }
    return picture;
}

ReportPictures read_step_pictures(const fs::path& folder, size_t budget) {
    std::vector<std::pair<int64_t, fs::path>> files;
    for (const fs::path& file : entries_of(folder))
        if (const std::optional<int64_t> step = step_of_picture(file.filename().string()); step && is_file(file))
            files.emplace_back(*step, file);
    std::sort(files.begin(), files.end());
    ReportPictures pictures;
    for (const auto& [step, file] : evenly(files, kMostPictures)) {
        try {
            ReportPicture picture = read_report_picture(file, budget / std::min(kLeastShare, std::max<size_t>(files.size(), 1)));
            picture.step = step;
            pictures.shown.push_back(std::move(picture));
        } catch (const Error&) {
            ++pictures.unreadable;
        }
    }
    while (bytes_of(pictures.shown) > budget && !pictures.shown.empty())
        pictures.shown = evenly(pictures.shown, pictures.shown.size() == 1 ? 0 : (pictures.shown.size() + 1) / 2);
    pictures.left_out = static_cast<int64_t>(files.size() - pictures.shown.size()) - pictures.unreadable;
    return pictures;
}

}  // namespace ddpm
