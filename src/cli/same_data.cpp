#include "cli/same_data.h"

#include <spdlog/spdlog.h>

#include "cli/class_rows.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/train/run_config.h"

namespace ddpm::cli {

namespace {

const char* const kOtherRun = "--out FOLDER --init-from RUN begins another run with the weights of this one";

std::string path_before(const fs::path& checkpoint) {
    const Json config = training_config(checkpoint);
    const Json path = config.is_object() ? config.value("dataset", Json::object()).value("path", Json("")) : Json("");
    return path.is_string() ? path.get<std::string>() : "";
}

// Whether two texts name one folder, if only by a link or from somewhere else.
bool is_same_place(const std::string& before, const std::string& now) {
    std::error_code error;
    return before == now || (fs::equivalent(before, now, error) && !error);
}

}  // namespace

void check_data_is_there(const fs::path& checkpoint, const Config& config) {
    const std::string& path = config.dataset.path;
    if (path.empty() || is_present(path)) return;
    user_error(fmt::format("dataset.path: {}: not found; {} was trained on what lay in {}", path, checkpoint.string(),
                           quote(path_before(checkpoint))),
               "a path counts from the working directory; where the pictures have moved, --set dataset.path=FOLDER goes on with "
               "them");
}

void check_same_classes(const fs::path& checkpoint, const Config& config, const Dataset& whole) {
    if (!config.model.num_class_embeds) return;
    const std::vector<std::string> before = training_label_names(checkpoint), &now = whole.class_names();
    if (before == now) return;
    const std::vector<std::string> come = missing_from(before, now), gone = missing_from(now, before);
    user_error(fmt::format("{}: was trained with the classes {}, and the data set has {} now{}{}{}; labels would mean something "
                           "else; name the folders as they were",
                           checkpoint.string(), quote(join(before)), quote(join(now)),
                           come.empty() ? "" : "; new: " + first_names(come), gone.empty() ? "" : "; gone: " + first_names(gone),
                           come.empty() && gone.empty() ? ": the same ones in another order" : ""),
               std::string(kOtherRun) + ", class by class");
}

void check_same_pictures(const fs::path& checkpoint, const Config& config, int64_t training,
                         const std::optional<DataFingerprint>& now) {
    if (!now) return;
    const std::string before = path_before(checkpoint), &path = config.dataset.path, step = checkpoint.filename().string();
    const Json counters = training_counters(checkpoint);
    const Json kept = counters.value("data", Json()), images = counters.value("images", Json());
    const bool moved = !is_same_place(before, path);
    const std::string place = moved ? fmt::format("dataset.path was {} and is {} now", quote(before), quote(path))
                                    : fmt::format("dataset.path {}", quote(path));
    if (moved && images.is_number_integer() && images != training)
        user_error(fmt::format("{}: {} to train on, and there were {} when {} was written", place, plural(training, "image"),
                               images.get<int64_t>(), step),
                   kOtherRun);
    if (!kept.is_object()) {
        if (moved)
            spdlog::info("{}; {} is of before data had fingerprints, so {} decide", place, step,
                         images.is_number_integer() ? fmt::format("the number of images ({}) and the classes", training)
                                                    : std::string("the classes alone"));
        return;
    }
    const Json found = write_fingerprint(*now);
    const auto differs = [&](const char* part) { return kept.value(part, Json()) != found[part]; };
    const bool renamed = differs("names"), resized = differs("sizes");
    if (!resized && !differs("bytes")) {
        if (moved || renamed)
            spdlog::info("{}: the same {}{}", place, plural(training, "image"), renamed ? " under other names" : "");
        return;
    }
    const std::string what = renamed   ? "files of other names and contents, or in another order"
                             : resized ? "files of other sizes"
                                       : "files of other contents";
    if (moved) user_error(fmt::format("{}: other pictures than {} was trained on: {}", place, step, what), kOtherRun);
    if (images == training)  // of another number run_training warns
        spdlog::warn("the data set has changed since {} was written: {}; the run goes on with what is there now", step, what);
}

}  // namespace ddpm::cli
