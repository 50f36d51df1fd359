#include "cli/sample_files.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/image/npz.h"

namespace ddpm {

namespace {

constexpr const char* kTensorFile = "samples.safetensors";
constexpr const char* kArrayFile = "samples.npz";

bool is_sample(const std::string& name) {
    if (name == kTensorFile || name == kArrayFile) return true;
    return name.size() == 10 && name.substr(6) == ".png" &&
           std::all_of(name.begin(), name.begin() + 6, [](char c) { return c >= '0' && c <= '9'; });
}

// A path with a last component that can be renamed to.
fs::path named(const fs::path& folder) {
    const fs::path target = fs::absolute(folder).lexically_normal();
    return target.has_filename() ? target : target.parent_path();
}

}  // namespace

const std::vector<std::string>& sample_formats() {
    static const std::vector<std::string> formats = {"png", "safetensors", "npz"};
    return formats;
}

void check_sample_folder(const fs::path& folder, bool overwrite,
                         const std::vector<std::pair<std::string, fs::path>>& others) {
    std::error_code ignored;
    for (const auto& [flag, file] : others)
        if (!file.empty() && named(file).parent_path() == named(folder) && is_sample(file.filename().string()))
            user_error(fmt::format("{}: {}: is the name of one of the pictures in --out; choose another", flag, file.string()));
    if (!fs::exists(folder, ignored)) return;
    if (!fs::is_directory(folder, ignored)) user_error(folder.string() + ": is a file, expected a folder for the pictures");
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (!is_sample(name))
            user_error(fmt::format("{}: holds {}, which is no picture of an earlier `ddpm sample`; choose another --out",
                                   folder.string(), quote(name)));
        if (!overwrite)
            user_error(folder.string() + ": holds pictures already", "--overwrite replaces them, --out draws elsewhere");
    }
}

SampleFiles::SampleFiles(const fs::path& folder, std::string format) : format_(std::move(format)) {
    const fs::path target = named(folder);
    make_folders(target.parent_path());
    staged_ = std::make_unique<StagedFolder>(target, true);
}

void SampleFiles::add(const at::Tensor& batch, const std::vector<Image>& pictures, int64_t first,
                      const std::vector<int64_t>& labels, const std::function<PngText(int64_t)>& made) {
    labels_.insert(labels_.end(), labels.begin(), labels.end());
    if (format_ == "safetensors") {
        images_.push_back(batch);
        return;
    }
    for (size_t i = 0; i < pictures.size(); ++i) {
        const Image& picture = pictures[i];
        const int64_t index = first + static_cast<int64_t>(i);
        if (format_ == "png") {
            write_png(staged_->path() / fmt::format("{:06d}.png", index), picture, made(index));
        } else {
            bytes_.append(reinterpret_cast<const char*>(picture.pixels.data()), picture.pixels.size());
            shape_ = {index + 1, picture.height, picture.width, picture.channels};
        }
    }
}

void SampleFiles::commit() {
    if (format_ == "safetensors") write_safetensors(staged_->path() / kTensorFile, {{"images", at::cat(images_)}});
    if (format_ == "npz") {
        std::vector<NpyArray> arrays{{"arr_0", "|u1", shape_, bytes_}};
        const std::string_view labels(reinterpret_cast<const char*>(labels_.data()), labels_.size() * sizeof labels_[0]);
        if (!labels_.empty()) arrays.push_back({"arr_1", "<i8", {static_cast<int64_t>(labels_.size())}, labels});
        write_npz(staged_->path() / kArrayFile, arrays);
    }
    staged_->commit();
}

}  // namespace ddpm
