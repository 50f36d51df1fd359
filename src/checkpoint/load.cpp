#include "ddpm/checkpoint/load.h"

#include <algorithm>
#include <iterator>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>
#include <torch/nn/module.h>

#include "checkpoint/mismatches.h"
#include "checkpoint/outer_names.h"
#include "ddpm/checkpoint/torch_file.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
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
    // If the name says of which format a file is, the reader of that format says what is wrong with it.
    const FileLook look = look_at(path);
    const bool named = path.extension() == ".safetensors" || path.extension() == ".json" || is_torch_file(path);
    if (look.kind < FileKind::empty || (look.kind == FileKind::unknown && !named))
        refuse_kind(path.string(), look, "a file of weights (.safetensors, or .pt, .pth, .bin or .ckpt of torch.save)");
    if (path.extension() != ".json") {
        open(path);
        return;
    }
    const std::string source = path.string();
    const std::map<std::string, std::string> file_of = read_safetensors_index(read_json_file(path), source);
    std::map<std::string, size_t> files;
    for (const auto& [name, file] : file_of) files.try_emplace(file, 0);
    size_t position = 0;
    for (auto& [file, place] : files) {
        place = position++;
        open(path.parent_path() / file);
        if (!files_.empty() && !torch_files_.empty())
            user_error(fmt::format("{}: weight_map lists files of two kinds, {} and others", source, quote(file)));
    }
    size_t found = 0;
    for (const auto& [name, item] : items_) {
        const auto listed = file_of.find(item.entry.name);
        if (listed == file_of.end() || files[listed->second] != item.file)
            user_error(fmt::format("{}: {} holds {}, weight_map does not say so", source,
                                   std::next(files.begin(), static_cast<std::ptrdiff_t>(item.file))->first,
                                   quote(item.entry.name)));
        ++found;
    }
    if (found != file_of.size())
        for (const auto& [name, file] : file_of)
            if (!items_.contains(present_name(name)))
                user_error(fmt::format("{}: weight_map says that {} holds {}, it does not", source, file, quote(name)));
}

void WeightSource::open(const std::filesystem::path& file) {
    if (!is_torch_file(file)) {
        files_.emplace_back(file);
        for (const SafetensorsEntry& entry : files_.back().header().tensors) add(entry.name, {files_.size() - 1, 0, entry}, file);
        return;
    }
    torch_files_.push_back(std::make_shared<const TorchFile>(file));
    const std::vector<PickledTensor>& tensors = torch_files_.back()->tensors();
    for (size_t i = 0; i < tensors.size(); ++i) {
        uint64_t bytes = safetensors_dtype_size(tensors[i].dtype);
        for (const int64_t length : tensors[i].shape) bytes *= static_cast<uint64_t>(length);
        add(tensors[i].name, {torch_files_.size() - 1, i, {tensors[i].name, tensors[i].dtype, tensors[i].shape, 0, bytes}}, file);
    }
}

void WeightSource::add(const std::string& name, const Item& item, const std::filesystem::path& path) {
    if (!items_.emplace(present_name(name), item).second)
        user_error(fmt::format("{}: {} is there twice", path.string(), quote(item.entry.name)));
}

std::vector<std::string> WeightSource::keep(const std::string& prefix,
                                            const std::function<std::optional<std::string>(const std::string&)>& name) {
    std::vector<std::string> others;
    std::map<std::string, Item> all;
    all.swap(items_);
    prefix_ = prefix;
    for (const auto& [unused, item] : all)
        if (const auto kept = name(item.entry.name))
            add(*kept, item, path_);
        else
            others.push_back(item.entry.name);
    return others;
}

SafetensorsMetadata WeightSource::metadata() const {
    return files_.size() == 1 ? files_.front().header().metadata : SafetensorsMetadata{};
}

at::Tensor WeightSource::read(const Item& item) const {
    return files_.empty() ? torch_files_[item.file]->read(item.tensor) : files_[item.file].read(item.entry);
}

bool WeightSource::verify() const {
    bool all = !files_.empty();
    for (const SafetensorsFile& file : files_) {
        file.verify();
        all = all && file.has_checksum();
    }
    return all;
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
    if (!problems.empty())
        checkpoint::refuse_mismatches(
            source.path().string() + (source.prefix().empty() ? "" : ": under " + checkpoint::keys_text({source.prefix()})),
            problems);
    // Everything is read once before anything is overwritten, one tensor at a time, because two copies of all of them would
    // double the memory that a network takes.
    if (!source.verify())
        for (const WeightSource::Item* item : found) source.read(*item);
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < targets.size(); ++i) {
        at::Tensor target = targets[i].second;
        target.copy_(source.read(*found[i]));
    }
}

void load_module(const WeightSource& source, torch::nn::Module& module) { load_tensors(source, named_tensors(module)); }

}  // namespace ddpm
