#include "ddpm/checkpoint/load.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>
#include <torch/nn/module.h>

#include "checkpoint/mismatches.h"
#include "ddpm/checkpoint/torch_file.h"
#include "ddpm/core/error.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/safetensors_index.h"

namespace ddpm {

namespace {

// Translates diffusers' names of attention layers from before 0.17; other names stay as they are.
std::string present_name(std::string name) {
    static const std::pair<std::string, std::string> renames[] = {
        {".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}};
    if (name.find("attentions.") == std::string::npos) return name;
    for (const auto& [old, now] : renames)
        if (const size_t at = name.rfind(old); at != std::string::npos) return name.replace(at, old.size(), now);
    return name;
}

bool is_floating(const std::string& dtype) { return dtype == "F64" || dtype == "F32" || dtype == "F16" || dtype == "BF16"; }

std::string mismatch(const SafetensorsEntry& entry, const at::Tensor& target) {
    if (at::IntArrayRef(entry.shape) != target.sizes())
        return fmt::format("{} has the shape [{}], expected [{}]", entry.name, fmt::join(entry.shape, ", "),
                           fmt::join(target.sizes(), ", "));
    const std::string wanted = safetensors_dtype(target.scalar_type());
    const bool convertible = is_floating(entry.dtype) && is_floating(wanted);
    return convertible || entry.dtype == wanted ? std::string()
                                                : fmt::format("{} has the dtype {}, expected {}", entry.name, entry.dtype, wanted);
}

}  // namespace

WeightSource::WeightSource(const std::filesystem::path& path) : path_(path) {
    if (path.extension() != ".json" && is_torch_file(path)) {
        torch_file_ = std::make_shared<const TorchFile>(path);
        for (size_t i = 0; i < torch_file_->tensors().size(); ++i) {
            const PickledTensor& tensor = torch_file_->tensors()[i];
            uint64_t bytes = safetensors_dtype_size(tensor.dtype);
            for (const int64_t length : tensor.shape) bytes *= static_cast<uint64_t>(length);
            add(i, {tensor.name, tensor.dtype, tensor.shape, 0, bytes}, path);
        }
        return;
    }
    if (path.extension() != ".json") {
        add(path);
        return;
    }
    const std::string source = path.string();
    const std::map<std::string, std::string> file_of = read_safetensors_index(read_json_file(path), source);
    std::map<std::string, size_t> files;
    for (const auto& [name, file] : file_of) files.try_emplace(file, 0);
    for (auto& [file, position] : files) {
        position = files_.size();
        add(path.parent_path() / file);
    }
    size_t found = 0;
    for (const auto& [name, item] : items_) {
        const auto listed = file_of.find(item.entry.name);
        if (listed == file_of.end() || files[listed->second] != item.file)
            user_error(fmt::format("{}: {} holds {}, weight_map does not say so", source,
                                   files_[item.file].path().filename().string(), quote(item.entry.name)));
        ++found;
    }
    if (found != file_of.size())
        for (const auto& [name, file] : file_of)
            if (!items_.contains(present_name(name)))
                user_error(fmt::format("{}: weight_map says that {} holds {}, it does not", source, file, quote(name)));
}

void WeightSource::add(const std::filesystem::path& file) {
    files_.emplace_back(file);
    for (const SafetensorsEntry& entry : files_.back().header().tensors) add(files_.size() - 1, entry, file);
}

void WeightSource::add(size_t file, const SafetensorsEntry& entry, const std::filesystem::path& path) {
    if (!items_.emplace(present_name(entry.name), Item{file, entry}).second)
        user_error(fmt::format("{}: {} is there twice", path.string(), quote(entry.name)));
}

SafetensorsMetadata WeightSource::metadata() const {
    return files_.size() == 1 ? files_.front().header().metadata : SafetensorsMetadata{};
}

at::Tensor WeightSource::read(const Item& item) const {
    return torch_file_ ? torch_file_->read(item.file) : files_[item.file].read(item.entry);
}

void WeightSource::verify() const {
    for (const SafetensorsFile& file : files_) file.verify();
}

NamedTensors named_tensors(const torch::nn::Module& module) {
    NamedTensors tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace_back(item.key(), item.value());
    for (const auto& item : module.named_buffers()) tensors.emplace_back(item.key(), item.value());
    return tensors;
}

void checkpoint::refuse_mismatches(const std::string& source, const std::vector<std::string>& problems) {
    constexpr size_t kShown = 3;
    const size_t shown = std::min(kShown, problems.size());
    std::string text = join({problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(shown)}, "; ");
    if (problems.size() > shown) text += fmt::format("; and {} more", problems.size() - shown);
    user_error(fmt::format("{}: does not fit the network: {}", source, text));
}

void load_tensors(const WeightSource& source, const NamedTensors& targets) {
    std::vector<std::string> problems;
    std::map<std::string, const WeightSource::Item*> unused;
    for (const auto& [name, item] : source.items()) unused[name] = &item;
    std::vector<const WeightSource::Item*> found;
    for (const auto& [name, target] : targets) {
        const auto item = unused.find(name);
        if (item == unused.end()) {
            problems.push_back(name + " is missing");
            continue;
        }
        if (std::string problem = mismatch(item->second->entry, target); !problem.empty()) problems.push_back(std::move(problem));
        found.push_back(item->second);
        unused.erase(item);
    }
    for (const auto& [name, item] : unused) problems.push_back(one_line(item->entry.name) + " is not of this network");
    if (!problems.empty()) checkpoint::refuse_mismatches(source.path().string(), problems);
    source.verify();
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < targets.size(); ++i) {
        at::Tensor target = targets[i].second;
        target.copy_(source.read(*found[i]));
    }
}

void load_module(const WeightSource& source, torch::nn::Module& module) { load_tensors(source, named_tensors(module)); }

}  // namespace ddpm
