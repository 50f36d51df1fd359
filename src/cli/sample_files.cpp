#include "cli/sample_files.h"

#include <algorithm>
#include <fstream>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "cli/places.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

constexpr const char* kTensorFile = "samples.safetensors";
constexpr const char* kTensor = "images";
constexpr const char* kArrayFile = "samples.npz";

bool has_name_of_sample(const fs::path& file) {
    const std::string name = file.filename().string();
    if (name == kTensorFile || name == kArrayFile) return true;
    return name.size() >= 10 && name.ends_with(".png") &&
           std::all_of(name.begin(), name.end() - 4, [](char c) { return c >= '0' && c <= '9'; });
}

std::string read_beginning(const fs::path& file, std::streamsize count) {
    std::string bytes(static_cast<size_t>(count), '\0');
    std::ifstream(file, std::ios::binary).read(bytes.data(), count);
    return bytes;
}

// Whether `ddpm sample` has written this file. The name alone does not tell, because many people's pictures are called 000000.png;
// a PNG of this program says so in its text.
bool is_sample(const fs::path& file) {
    if (!has_name_of_sample(file) || own_type(file) != fs::file_type::regular) return false;
    if (file.extension() == ".png") return is_made_by_ddpm(file);
    try {
        if (file.filename() == kArrayFile)
            return read_beginning(file, 39).substr(0, 2) == "PK" && read_beginning(file, 39).ends_with("arr_0.npy");
        const SafetensorsHeader header = read_safetensors_header(file);
        return header.tensors.size() == 1 && header.tensors.front().name == kTensor;
    } catch (const Error&) {
        return false;
    }
}

// Returns the first entry of the folder that is no sample.
std::optional<fs::path> other_than_samples(const fs::path& folder) {
    for (const fs::path& entry : entries_of(folder))
        if (!is_sample(entry)) return entry;
    return std::nullopt;
}

}  // namespace

const std::vector<std::string>& sample_formats() {
    static const std::vector<std::string> formats = {"png", "safetensors", "npz"};
    return formats;
}

void check_sample_folder(const fs::path& folder, bool overwrite, const std::vector<std::pair<std::string, fs::path>>& others) {
    std::error_code ignored;
    const fs::path target = place_of_folder(folder);
    for (const auto& [flag, file] : others) {
        if (file.empty()) continue;
        const fs::path place = fs::absolute(file).lexically_normal();
        if (place != target && fs::weakly_canonical(place.parent_path(), ignored) != fs::weakly_canonical(target, ignored))
            continue;
        user_error(
            fmt::format("{}: {}: lies in --out, which is for the pictures alone; choose another place", flag, file.string()));
    }
    if (!is_present(target)) return check_can_make(target);
    check_writable(folder_of(target));  // where it is made before it is renamed
    if (!is_folder(target)) user_error(folder.string() + ": is a file, expected a folder for the pictures");
    if (!overwrite && entries_of(target).empty()) return;
    if (const auto other = other_than_samples(target))
        refuse_to_replace(folder, fmt::format("holds {}, which `ddpm sample` has not drawn", quote(other->filename().string())),
                          "choose another --out");
    if (!overwrite) user_error(folder.string() + ": holds pictures already", "--overwrite replaces them, --out draws elsewhere");
}

SampleFiles::SampleFiles(const fs::path& folder, bool overwrite, std::string format, int64_t count)
    : target_(place_of_folder(folder)), overwrite_(overwrite), format_(std::move(format)), count_(count) {
    make_folders(target_.parent_path());
    staged_ = std::make_unique<StagedFolder>(target_);
}

void SampleFiles::add(const at::Tensor& batch, const std::vector<Image>& pictures, int64_t first,
                      const std::vector<int64_t>& labels, const std::function<PngText(int64_t)>& made) {
    labels_.insert(labels_.end(), labels.begin(), labels.end());
    if (format_ == "safetensors") {
        std::vector<int64_t> shape = batch.sizes().vec();
        shape[0] = count_;
        if (!tensors_)
            tensors_ = std::make_unique<SafetensorsWriter>(staged_->path() / kTensorFile, kTensor, batch.scalar_type(), shape);
        tensors_->write(batch);
        return;
    }
    for (size_t i = 0; i < pictures.size(); ++i) {
        const Image& picture = pictures[i];
        const int64_t index = first + static_cast<int64_t>(i);
        if (format_ == "png") {
            write_png(staged_->path() / fmt::format("{:06d}.png", index), picture, made(index));
        } else {
            if (!arrays_) {
                arrays_ = std::make_unique<NpzWriter>(staged_->path() / kArrayFile);
                arrays_->begin("arr_0", "|u1", {count_, picture.height, picture.width, picture.channels});
            }
            arrays_->write({reinterpret_cast<const char*>(picture.pixels.data()), picture.pixels.size()});
        }
    }
}

fs::path SampleFiles::commit() {
    if (tensors_) tensors_->commit();
    if (arrays_) {
        if (!labels_.empty()) {
            arrays_->begin("arr_1", "<i8", {static_cast<int64_t>(labels_.size())});
            arrays_->write({reinterpret_cast<const char*>(labels_.data()), labels_.size() * sizeof labels_[0]});
        }
        arrays_->commit();
    }
    return staged_->commit(overwrite_ && is_folder(target_) && !other_than_samples(target_));
}

}  // namespace ddpm::cli
