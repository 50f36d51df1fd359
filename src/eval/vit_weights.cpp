#include "eval/vit_weights.h"

#include <algorithm>
#include <charconv>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/text.h"

namespace ddpm::eval {

namespace {

// Lets pass what SafetensorsFile can read or knows more about.
const std::filesystem::path& checked_file(const std::filesystem::path& file, const std::string& expected) {
    const std::string name = file.filename().string();
    if (name.ends_with(".index.json"))
        user_error(fmt::format("{}: the index of a network in several files, expected {} in one", file.string(), expected),
                   "in Python: net.save_pretrained(FOLDER, max_shard_size=\"20GB\") writes one model.safetensors");
    if (const FileLook look = look_at(file); look.kind == FileKind::folder)
        user_error(fmt::format("{}: is a folder, expected {}", file.string(), expected), "name the file model.safetensors in it");
    expect_kind(file, {FileKind::safetensors}, expected);
    return file;
}

std::string shape_words(at::IntArrayRef shape) {
    std::vector<std::string> sizes;
    for (const int64_t size : shape) sizes.push_back(size < 0 ? "any" : std::to_string(size));
    return fmt::format("[{}]", join(sizes));
}

}  // namespace

VitWeights::VitWeights(const std::filesystem::path& file, std::string expected)
    : file_(checked_file(file, expected)), expected_(std::move(expected)) {
    file_.verify();
    for (const SafetensorsEntry& entry : file_.header().tensors) entries_[entry.name] = &entry;
}

void VitWeights::refuse(const std::string& why) const { user_error(fmt::format("{}: {}; expected {}", source(), why, expected_)); }

void VitWeights::strip(const std::string& prefix) {
    std::map<std::string, const SafetensorsEntry*> renamed;
    for (const auto& [name, entry] : entries_) {
        const std::string bare = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
        if (!renamed.emplace(bare, entry).second)
            refuse(fmt::format("holds {} twice, with and without {}", quote(bare), quote(prefix)));
    }
    entries_ = std::move(renamed);
}

int64_t VitWeights::blocks(const std::string& prefix) const {
    int64_t count = 0;
    for (const auto& [name, entry] : entries_) {
        if (!name.starts_with(prefix)) continue;
        int32_t number = -1;
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
        count = std::max<int64_t>(count, int64_t{number} + 1);
    }
    return count;
}

at::Tensor VitWeights::take(const std::string& name, const std::vector<int64_t>& shape, c10::Device device) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) refuse(fmt::format("has no tensor {}", quote(name)));
    const SafetensorsEntry& entry = *found->second;
    const bool fits = entry.shape.size() == shape.size() &&
                      std::equal(shape.begin(), shape.end(), entry.shape.begin(),
                                 [](int64_t want, int64_t has) { return want < 0 ? has > 0 : want == has; });
    if (!fits)
        user_error(fmt::format("{}: {} has shape {}, expected {}", source(), quote(entry.name), shape_words(entry.shape),
                               shape_words(shape)));
    if (!at::isFloatingType(scalar_type_of(entry.dtype)))
        user_error(fmt::format("{}: {} has dtype {}, expected floating numbers", source(), quote(entry.name), entry.dtype));
    const at::Tensor tensor = file_.read(entry).to(at::kFloat);
    if (!at::isfinite(tensor).all().item<bool>())
        user_error(fmt::format("{}: {} holds a number that is not finite", source(), quote(entry.name)),
                   "the file is damaged; get it anew");
    taken_.insert(name);
    return tensor.to(device);
}

int64_t VitWeights::leave_out(const std::vector<std::string>& beginnings) {
    const auto belongs = [&](const auto& item) {
        return std::any_of(beginnings.begin(), beginnings.end(),
                           [&](const std::string& beginning) { return item.first.starts_with(beginning); });
    };
    return static_cast<int64_t>(std::erase_if(entries_, belongs));
}

void VitWeights::expect_all_taken() const {
    for (const auto& [name, entry] : entries_)
        if (taken_.count(name) == 0) refuse(fmt::format("has a tensor {} that such a network does not have", quote(entry->name)));
}

}  // namespace ddpm::eval
