#include <memory>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/defaults.h"
#include "cli/places.h"
#include "cli/signals.h"
#include "ddpm/checkpoint/convert.h"
#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/files.h"
#include "ddpm/core/staging.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::cli {

namespace {

const std::vector<std::string>& targets() {
    static const std::vector<std::string> names = {"diffusers", "safetensors"};
    return names;
}

struct ConvertFlags {
    std::string source, target, from = "auto", to, dtype = "fp32", config, key;
    std::vector<std::string> assignments;
    bool overwrite = false;
};

// Returns the settings of --config with those of --set on top.
Json read_settings(const ConvertFlags& flags) {
    Json settings = flags.config.empty() ? Json::object() : read_json_file(flags.config);
    if (!settings.is_object()) wrong_value(settings, flags.config, "an object of settings");
    for (const std::string& text : flags.assignments) {
        const size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            user_error(fmt::format("--set: got {}, expected key=value, for example image_size=64", quote(text)));
        const std::string value = text.substr(equals + 1);
        settings[text.substr(0, equals)] = Json::accept(value) ? parse_json(value, "--set " + text) : Json(value);
    }
    return settings;
}

// Whether this verb has written a tensor file, into a folder or by itself. Such a file carries a checksum.
bool is_written_here(const fs::path& file) {
    try {
        return SafetensorsFile(file).has_checksum();
    } catch (const Unreadable&) {
        throw;
    } catch (const Error&) {
        return false;
    }
}

// Returns why --overwrite does not replace a folder or file, or nothing if this verb has written all of it.
std::optional<std::string> obstacle(const fs::path& target, bool folder) {
    if (!folder) {
        const fs::path place = fs::weakly_canonical(target), above = place.parent_path();
        for (const char* part : {"unet", "training"})
            if (above.filename() == part && type_of(above.parent_path() / "model_index.json") == fs::file_type::regular)
                return fmt::format("belongs to {}", above.parent_path().string());
        if (place.extension() != ".safetensors" || !is_written_here(place)) return "was not written by `ddpm convert`";
        return std::nullopt;
    }
    if (type_of(target / "model_index.json") != fs::file_type::regular) return "is no pipeline folder";
    if (type_of(target / "training") != fs::file_type::not_found) return "is a checkpoint of a run";
    const auto is_ours = [](const std::string& below, const fs::path& entry) {
        const std::string name = entry.filename().string();
        if (below.empty()) return name == "model_index.json" || name == "scheduler" || name == "unet";
        if (below == "scheduler") return name == "scheduler_config.json";
        return name == "config.json" || (name == "diffusion_pytorch_model.safetensors" && is_written_here(entry));
    };
    for (const std::string below : {"", "scheduler", "unet"})
        for (const fs::path& entry : entries_of(target / below))
            if (!is_ours(below, entry))
                return fmt::format("holds {}, which `ddpm convert` has not written",
                                   quote((fs::path(below) / entry.filename()).string()));
    return std::nullopt;
}

// Returns where the target is: behind links, without a slash at its end, without detours through what is not there. Refuses one
// that can't be what --to says.
fs::path place_of_target(const ConvertFlags& flags, bool folder) {
    fs::path target = without_detours(fs::absolute(flags.target));
    if (!target.has_filename()) target = target.parent_path();
    const fs::path place = folder ? place_of_folder(target) : behind_links(target);
    if (own_type(place) == fs::file_type::symlink) user_error(flags.target + ": is a link that leads round in a circle");
    if (folder == (place.extension() == ".safetensors"))
        user_error(flags.target + (folder ? ": is the name of a .safetensors file, expected a folder's for --to diffusers"
                                          : ": expected a name that ends in .safetensors for --to safetensors"));
    if (is_present(place) && is_folder(place) != folder)
        user_error(fmt::format("{}: is a {}, expected a {} for --to {}", flags.target, folder ? "file" : "folder",
                               folder ? "folder" : "file's name", flags.to));
    if (!folder) check_partial_file(place);
    return place;
}

// Refuses to replace anything without --overwrite, and with it anything that this verb has not written.
void check_replaceable(const ConvertFlags& flags, const fs::path& place, bool folder) {
    if (!is_present(place) || (folder && entries_of(place).empty())) return check_can_make(place);
    if (!flags.overwrite) user_error(flags.target + ": exists already", "--overwrite replaces it");
    if (const auto why = obstacle(place, folder)) refuse_to_replace(flags.target, *why, "choose another name");
    check_writable(folder_of(place));
}

// Converts tensors to `type`. Finite numbers that become infinite are a user_error, and numbers that become 0 are counted in a
// warning. `dtype` is the name of the type.
NamedTensors with_dtype(const NamedTensors& tensors, at::ScalarType type, const std::string& dtype) {
    NamedTensors narrow;
    int64_t vanished = 0, total = 0;
    std::string where;
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor wide = tensor.detach();
        narrow.emplace_back(name, wide.to(type));
        const at::Tensor& result = narrow.back().second;
        if (!at::isfinite(result).all().item<bool>() && at::isfinite(wide).all().item<bool>())
            user_error(fmt::format("--dtype {}: {} holds numbers beyond {}", dtype, name,
                                   type == at::kHalf ? "65504; bf16 holds them" : "3.39e38; fp32 holds them"));
        const int64_t lost = result.eq(0).logical_and(wide.ne(0)).sum().item<int64_t>();
        if (lost > 0 && vanished == 0) where = name;
        vanished += lost;
        total += wide.numel();
    }
    if (vanished > 0)
        spdlog::warn("--dtype {}: {} of {} numbers are smaller than it holds and become 0, first in {}{}", dtype,
                     with_commas(vanished), with_commas(total), where, type == at::kHalf ? "; bf16 holds them" : "");
    return narrow;
}

// "0 for ant, 1 for bee"
std::string numbered(const std::vector<std::string>& names) {
    constexpr size_t kShown = 16;
    std::vector<std::string> words;
    for (size_t i = 0; i < std::min(kShown, names.size()); ++i) words.push_back(fmt::format("{} for {}", i, one_line(names[i])));
    if (names.size() > kShown) words.push_back(fmt::format("… {} for {}", names.size() - 1, one_line(names.back())));
    return join(words);
}

// A model as it is read, and what does not fit into the files of diffusers.
struct Source {
    ConvertedModel model;
    std::vector<std::string> class_names;
    bool has_sample_section = false;
};

Source read_checkpoint(const fs::path& path, const ConvertRequest& request) {
    Source source{read_model(path, request), {}, false};
    if (!has_training(path)) return source;
    source.class_names = training_label_names(path);
    source.has_sample_section = !training_config(path).value("sample", Json::object()).empty();
    return source;
}

// Reads a run's newest checkpoint, or the source itself if it is a file of another program. Settings are for such files only,
// and read_model refuses them for anything else.
Source read_source(const ConvertFlags& flags, const ConvertRequest& request) {
    const bool foreign = flags.from != "diffusers" && (flags.from != "auto" || is_file(flags.source));
    if (foreign || !request.settings.empty()) return read_checkpoint(flags.source, request);
    return with_checkpoint(flags.source, NeededFiles::drawing,
                           [&](const fs::path& checkpoint) { return read_checkpoint(checkpoint, request); });
}

// Writes the model and returns where it is, in the words of the user if that is where it was asked for.
fs::path write_model(const ConvertFlags& flags, const fs::path& place, const ConvertedModel& model, const NamedTensors& weights) {
    make_folders(folder_of(place));
    if (flags.to != "diffusers") {
        write_pipeline_file(place, model.unet, model.scheduler, weights);
        return flags.target;
    }
    StagedFolder staged(place);
    write_pipeline(staged.path(), model.unet, model.scheduler, weights);
    throw_if_stopped();
    const fs::path written = staged.commit(flags.overwrite && !obstacle(place, true));
    return written == place ? fs::path(flags.target) : written;
}

int run_convert(ConvertFlags flags) {
    ignore_sigpipe();
    if (flags.source.empty() || flags.target.empty())
        user_error("convert: from what, to what? give SOURCE and TARGET",
                   "for example: ddpm convert model.pt model --set image_size=64 --set num_head_channels=64");
    if (const fs::path target = flags.target; flags.to.empty())
        flags.to =
            (target.has_filename() ? target : target.parent_path()).extension() == ".safetensors" ? "safetensors" : "diffusers";
    std::vector<std::string> sources = convert_formats();
    sources.insert(sources.begin(), "auto");
    read_choice(flags.from, "--from", sources);
    read_choice(flags.to, "--to", targets());
    read_choice(flags.dtype, "--dtype", {"fp32", "fp16", "bf16"});
    const bool folder = flags.to == "diffusers";
    const fs::path place = place_of_target(flags, folder);
    ConvertRequest request;
    request.from = flags.from;
    request.settings = read_settings(flags);
    request.key = flags.key;
    expect_model(flags.source);
    check_replaceable(flags, place, folder);

    catch_stop_signals();
    const Source source = read_source(flags, request);
    spdlog::info("{}: {}, {}", flags.source, source.model.format, describe_unet(source.model.unet));
    const NamedTensors weights = with_dtype(source.model.weights,
                                            flags.dtype == "fp16"   ? at::kHalf
                                            : flags.dtype == "bf16" ? at::kBFloat16
                                                                    : at::kFloat,
                                            flags.dtype);
    throw_if_stopped();
    const fs::path written = write_model(flags, place, source.model, weights);
    if (source.has_sample_section)
        spdlog::info("the run's own sample section (sampler, steps) is not written; give --sampler and --steps to sample");
    if (!source.class_names.empty())
        spdlog::warn("the names of the classes are not written; --label takes their numbers: {}", numbered(source.class_names));
    spdlog::info("wrote {}; draw pictures with `ddpm sample --ckpt {}`", written.string(), shell_word(written.string()));
    return 0;
}

// Returns the settings of each format, for the help of --set.
std::string known_settings() {
    std::string text;
    for (const std::string& format : convert_formats()) {
        std::vector<std::string> names;
        for (const FieldInfo& info : convert_settings(format)) names.push_back(info.name);
        if (!names.empty()) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", format, join(names));
    }
    return text;
}

}  // namespace

std::function<int()> add_convert(CLI::App& command) {
    auto flags = std::make_shared<ConvertFlags>();
    command.add_option("source", flags->source, "what --ckpt takes, or a .pt or .safetensors file of another program");
    command.add_option("target", flags->target, "folder to write, or a name that ends in .safetensors for a single file");
    add_with_default(command, "--from", flags->from, "auto, " + join(convert_formats()));
    command.add_option("--to", flags->to, join(targets()) + " (default: as TARGET's name says)");
    add_with_default(command, "--dtype", flags->dtype, "of the weights written: fp32, fp16 or bf16");
    command.add_option("--set", flags->assignments, "key=value: what the file can't say; may be given again. " + known_settings())
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--config", flags->config, "the same from a JSON file");
    command.add_option("--key", flags->key, "where the network is in the file, when that holds several");
    command.add_flag("--overwrite", flags->overwrite, "replace TARGET");
    return [flags] { return run_convert(*flags); };
}

}  // namespace ddpm::cli
