#include "ddpm/checkpoint/convert.h"

#include <algorithm>
#include <iterator>
#include <set>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "checkpoint/foreign.h"
#include "checkpoint/mismatches.h"
#include "checkpoint/outer_names.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

namespace {

const std::vector<checkpoint::ForeignFormat>& foreign_formats() {
    static const std::vector<checkpoint::ForeignFormat> table = {checkpoint::openai_format(), checkpoint::pesser_format()};
    return table;
}

// A network that is recognised by its tensors, but not read, and the reason.
struct Refusal {
    const char* landmarks[2];
    const char* what;
    const char* why;
};
constexpr Refusal kRefusals[] = {
    {{"init_conv.weight", "downs.0.0.block1.proj.weight"},
     "lucidrains' denoising-diffusion-pytorch",
     "; its 7×7 first convolution, linear attention and skips have no counterpart in diffusers' UNet2DModel"},
    {{"conv_in.weight", "down_blocks.0.resnets.0.norm1.weight"},
     "a U-Net of diffusers",
     ", but weights alone don't say which; put the file beside its config.json as diffusion_pytorch_model.safetensors (or .bin) "
     "and name that folder"},
};

std::vector<std::string> format_names() {
    std::vector<std::string> names{"diffusers"};
    for (const checkpoint::ForeignFormat& format : foreign_formats()) names.emplace_back(format.name);
    return names;
}

// Returns what precedes `landmark` in the names of tensors, sorted: "", "module.", "ema.", …
std::vector<std::string> prefixes_of(const WeightSource& source, const std::string& landmark) {
    std::vector<std::string> prefixes;
    for (const auto& [unused, item] : source.items()) {
        const std::string& name = item.entry.name;
        if (name.size() < landmark.size() || name.substr(name.size() - landmark.size()) != landmark) continue;
        const std::string prefix = name.substr(0, name.size() - landmark.size());
        if (prefix.empty() || prefix.back() == '.') prefixes.push_back(prefix);
    }
    std::sort(prefixes.begin(), prefixes.end());
    return prefixes;
}

// " under \"module\"" of a network whose names have something before them.
std::string under(const std::vector<std::string>& prefixes) {
    return prefixes == std::vector<std::string>{""} ? "" : " under " + checkpoint::keys_text(prefixes);
}

[[noreturn]] void refuse_unknown(const WeightSource& source, const std::string& from) {
    const std::string writer = checkpoint::writer_of(source);
    const std::string path = source.path().string() + (writer.empty() ? "" : ": a checkpoint of " + writer);
    if (source.items().empty()) user_error(path + ": holds no tensors");
    for (const Refusal& refusal : kRefusals) {
        const std::vector<std::string> one = prefixes_of(source, refusal.landmarks[0]),
                                       other = prefixes_of(source, refusal.landmarks[1]);
        std::vector<std::string> both;
        std::set_intersection(one.begin(), one.end(), other.begin(), other.end(), std::back_inserter(both));
        if (!both.empty()) user_error(fmt::format("{}: {}{}{}", path, refusal.what, under(both), refusal.why));
    }
    std::vector<std::string> names;
    for (const auto& [unused, item] : source.items())
        if (names.size() < 3) names.push_back(quote(item.entry.name));
    user_error(fmt::format("{}: its names ({}, …) are not those of {}", path, join(names),
                           from == "auto" ? "a network that is known here: " + join(format_names()) : "--from " + from));
}

struct Recognized {
    const checkpoint::ForeignFormat* format = nullptr;
    std::string prefix;
};

Recognized recognize(const WeightSource& source, const ConvertRequest& request) {
    std::vector<Recognized> found;
    for (const checkpoint::ForeignFormat& format : foreign_formats()) {
        if (request.from != "auto" && request.from != format.name) continue;
        for (const std::string& prefix : prefixes_of(source, format.landmark))
            if (request.key.empty() || prefix == checkpoint::prefix_of_key(request.key)) found.push_back({&format, prefix});
    }
    if (found.size() == 1) return found.front();
    if (found.empty() && (request.key.empty() || !checkpoint::unet_prefixes(source).empty())) refuse_unknown(source, request.from);
    const std::string path = source.path().string();
    if (found.empty()) user_error(fmt::format("{}: --key: holds no network under {}", path, quote(request.key)));
    std::vector<std::string> prefixes;
    for (const Recognized& one : found) prefixes.push_back(one.prefix);
    user_error(fmt::format("{}: holds {} networks, under {}; say which with --key", path, prefixes.size(),
                           checkpoint::keys_text(prefixes)));
}

// Builds the network of `described.unet` from their weights.
std::shared_ptr<UNet2D> assemble(const checkpoint::ForeignWeights& weights, const checkpoint::ForeignNetwork& described) {
    const at::NoGradGuard no_grad;
    auto unet = std::make_shared<UNet2D>(described.unet);
    const auto& origins = described.names.origins();
    std::vector<std::string> problems;
    std::set<std::string> used;
    for (auto& [name, target] : named_tensors(*unet)) {
        const std::string& ours = name;
        const auto made =
            std::find_if(described.made.begin(), described.made.end(), [&](const auto& item) { return item.first == ours; });
        const auto origin = origins.find(name);
        at::Tensor tensor;
        std::string theirs = name;
        if (made != described.made.end()) {
            tensor = made->second;
        } else if (origin == origins.end() || !weights.has(origin->second.name)) {
            problems.push_back((origin == origins.end() ? name : origin->second.name) + " is missing");
            continue;
        } else {
            theirs = origin->second.name;
            used.insert(theirs);
            tensor = weights.read(theirs);
            if (origin->second.change) tensor = origin->second.change(tensor);
        }
        if (tensor.sizes() != target.sizes())
            problems.push_back(fmt::format("{} makes {} of the shape [{}], expected [{}]", theirs, name,
                                           fmt::join(tensor.sizes(), ", "), fmt::join(target.sizes(), ", ")));
        else if (!tensor.is_floating_point())
            problems.push_back(fmt::format("{} holds integers", theirs));
        else if (!at::isfinite(tensor).all().item<bool>())
            problems.push_back(fmt::format("{} holds values that are not finite", theirs));
        else
            at::Tensor(target).copy_(tensor);
    }
    for (const auto& [name, item] : weights.items())
        if (!used.contains(name)) problems.push_back(one_line(name) + " is not of this network");
    if (!problems.empty()) checkpoint::refuse_mismatches(weights.source(), problems);
    return unet;
}

ConvertedModel read_pipeline(const fs::path& path, const ConvertRequest& request) {
    if (!request.settings.empty())
        user_error(fmt::format("{}: --set {}: this model says everything itself; leave it out", path.string(),
                               request.settings.begin().key()));
    const Pipeline pipeline = open_pipeline(path, {.key = request.key});
    warn_of_default_scheduler(pipeline);
    return {"diffusers", pipeline.unet, pipeline.scheduler, named_tensors(*load_unet(pipeline))};
}

bool describes_itself(const WeightSource& source) {
    const SafetensorsMetadata metadata = source.metadata();
    return std::any_of(metadata.begin(), metadata.end(), [](const auto& item) { return item.first == "unet_config"; });
}

}  // namespace

const std::vector<std::string>& convert_formats() {
    static const std::vector<std::string> names = format_names();
    return names;
}

std::vector<FieldInfo> convert_settings(const std::string& format) {
    for (const checkpoint::ForeignFormat& known : foreign_formats())
        if (format == known.name) return known.settings();
    return {};
}

ConvertedModel read_model(const fs::path& path, const ConvertRequest& request) {
    if (const FileLook look = look_at(path); look.kind < FileKind::empty && look.kind != FileKind::folder)
        refuse_kind(path.string(), look,
                    "a folder of diffusers, a .safetensors file or a file of torch.save (.pt, .pth, .bin, .ckpt)");
    if (request.from == "diffusers" || !is_file(path)) {
        if (request.from != "diffusers" && request.from != "auto" && is_folder(path))
            user_error(fmt::format("{}: is a folder, expected a file for --from {}", path.string(), request.from));
        return read_pipeline(path, request);
    }
    const WeightSource source(path);
    const bool has_configuration = config_beside(path) && !checkpoint::unet_prefixes(source).empty();
    if (request.from == "auto" && (describes_itself(source) || has_configuration)) return read_pipeline(path, request);
    const auto [format, prefix] = recognize(source, request);
    const checkpoint::ForeignWeights weights(source, prefix);
    const checkpoint::ForeignNetwork described = format->describe(weights, request.settings);
    const auto unet = assemble(weights, described);
    check_weights(named_tensors(*unet), path.string());
    const int64_t divisor = described.unet.size_divisor(), size = (*described.unet.sample_size)[0];
    if (size % divisor != 0)
        user_error(fmt::format("{}.image_size: {} is no multiple of {}, which the {} levels of the network need", format->name,
                               size, divisor, described.unet.levels()));
    return {format->name, described.unet, described.scheduler, named_tensors(*unet)};
}

}  // namespace ddpm
