#include "ddpm/dataset/options.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/dataset/dataset.h"

namespace ddpm {

namespace {

const Range kSide = Range::between(1, 8192);

struct NamedColor {
    const char* name;
    std::array<uint8_t, 3> rgb;
};
constexpr NamedColor kColors[] = {{"white", {255, 255, 255}}, {"black", {0, 0, 0}}, {"gray", {128, 128, 128}}};

void read_image_size(DatasetOptions& options, const Json& value, const std::string& path) {
    if (value.is_number()) {
        options.height = options.width = read_integer(value, path, kSide);
        return;
    }
    if (!value.is_array() || value.size() != 2)
        wrong_value(value, path, fmt::format("an integer {} or [height, width]", kSide.text()));
    options.height = read_integer(value[0], path + "[0]", kSide);
    options.width = read_integer(value[1], path + "[1]", kSide);
}

Json write_image_size(const DatasetOptions& options) {
    if (options.height == options.width) return options.height;
    return Json::array({options.height, options.width});
}

void read_background(DatasetOptions& options, const Json& value, const std::string& path) {
    if (value.is_string())
        for (const NamedColor& color : kColors)
            if (value.get<std::string>() == color.name) {
                options.background = color.rgb;
                return;
            }
    if (!value.is_array() || value.size() != 3) wrong_value(value, path, "white, black, gray or [red, green, blue], each 0 … 255");
    for (size_t i = 0; i < 3; ++i)
        options.background[i] =
            static_cast<uint8_t>(read_integer(value[i], fmt::format("{}[{}]", path, i), Range::between(0, 255)));
}

Json write_background(const DatasetOptions& options) {
    for (const NamedColor& color : kColors)
        if (options.background == color.rgb) return color.name;
    return Json(options.background);
}

void read_channels(DatasetOptions& options, const Json& value, const std::string& path) {
    if (!value.is_number()) wrong_value(value, path, "1, 3 or 4");
    const int64_t channels = read_integer(value, path, {});
    if (channels != 1 && channels != 3 && channels != 4) wrong_value(value, path, "1, 3 or 4");
    options.channels = channels;
}

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    for (const DatasetKind& kind : dataset_kinds()) names.push_back(kind.name);
    return names;
}

std::string kind_summaries() {
    std::vector<std::string> lines;
    for (const DatasetKind& kind : dataset_kinds()) lines.push_back(kind.name + ": " + kind.summary);
    return join(lines, "; ");
}

}  // namespace

const FieldTable<DatasetOptions>& dataset_fields() {
    using Options = DatasetOptions;
    static const FieldTable<Options> table =
        FieldTable<Options>()
            .choice("type", &Options::type, kind_names(), "the data set; " + kind_summaries())
            .add("path", &Options::path,
                 "where its files lie, relative to the working directory; a run may go on with the same files in another place")
            .free_on_resume()
            .choice("split", &Options::split, {"train", "test"}, "which part of cifar10 or mnist")
            .add("length", &Options::length, Range::between(1, 4294967296.0), "examples of shapes")
            .custom(
                {"image_size", "integer or [height, width]", {}, kSide.text(), "pictures are resized to cover it, then cropped"},
                read_image_size, write_image_size)
            .custom({"channels", "integer", {}, "1, 3, 4", "1 grey, 3 RGB, 4 RGBA"}, read_channels,
                    [](const Options& options) { return Json(options.channels); })
            .add("random_flip", &Options::random_flip, "mirror left and right half of the time")
            .choice("crop", &Options::crop, {"center", "random"}, "which part of a picture of other proportions is taken")
            .custom({"background",
                     "text or [red, green, blue]",
                     {},
                     "white, black, gray or three integers 0 … 255",
                     "what shows through transparent pixels where channels is not 4"},
                    read_background, write_background)
            .choice("on_broken", &Options::on_broken, {"skip", "error"},
                    "what to do with pictures that can't be read, and with all else that is left out of an image_folder though it "
                    "looks "
                    "like pictures or a class: leave out and say so, or refuse")
            .add("max_pixels", &Options::max_pixels, Range::at_least(1), "a picture with more of them counts as broken")
            .add("cache_mb", &Options::cache_mb, Range::between(0, 1 << 30),
                 "keep the resized pictures of an image_folder in memory if they take at most so many MiB")
            .free_on_resume()
            .add("workers", &Options::workers, Range::between(0, 1024),
                 "threads that read pictures; 0: as many as the program uses")
            .free_on_resume()
            .add("holdout", &Options::holdout, Range::at_least(0),
                 "images held out of training to measure the loss on, drawn from the seed: a fraction below 1, or how many");
    return table;
}

void check(const DatasetOptions& options) {
    if (options.holdout > 1 && options.holdout != std::floor(options.holdout))
        key_error("dataset.holdout",
                  fmt::format("got {}, expected a fraction below 1 or a whole number of images", options.holdout));
    const bool built_in = options.type == "shapes";
    if (built_in && !options.path.empty())
        key_error("dataset.path", fmt::format("got {}, but shapes is built in and reads no files; leave the path out, or "
                                              "set dataset.type to image_folder",
                                              quote(options.path)));
    if (!built_in && options.path.empty())
        key_error("dataset.path", fmt::format("missing, expected the folder with the files of {}", options.type));
    if (options.split != "train" && options.type != "cifar10" && options.type != "mnist")
        key_error("dataset.split", fmt::format("got {}, but {} has no parts; leave it out", quote(options.split), options.type));
    if (options.channels == 4 && (options.type == "cifar10" || options.type == "mnist"))
        key_error("dataset.channels", fmt::format("got 4, but {} has no transparency; expected 1 or 3", options.type));
}

int worker_count(const DatasetOptions& options, int threads) {
    return options.workers > 0 ? static_cast<int>(options.workers) : std::max(threads, 1);
}

}  // namespace ddpm
