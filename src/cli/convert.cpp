#include <memory>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/defaults.h"
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

// Refuses to replace anything without --overwrite, and with it anything that this verb has not written.
void check_target(const ConvertFlags& flags, bool folder) {
    const fs::path target = flags.target;
    if (folder) place_of_folder(target);
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(target, ignored))) return;
    if (fs::is_directory(target, ignored) != folder)
        user_error(fmt::format("{}: is a {}, expected a {} for --to {}", target.string(), folder ? "file" : "folder",
                               folder ? "folder" : "file's name", flags.to));
    if (folder && entries_of(target).empty()) return;
    if (!flags.overwrite) user_error(target.string() + ": exists already", "--overwrite replaces it");
    if (const auto why = obstacle(target, folder))
        user_error(fmt::format("{}: {}, so --overwrite does not replace it; choose another name", target.string(), *why));
}

// Converts tensors to `type`. Finite numbers beyond 65504, which float16 would turn into infinity, are a user_error.
NamedTensors with_dtype(const NamedTensors& tensors, at::ScalarType type) {
    NamedTensors narrow;
    for (const auto& [name, tensor] : tensors) {
        narrow.emplace_back(name, tensor.detach().to(type));
        if (type == at::kHalf && !at::isfinite(narrow.back().second).all().item<bool>() && at::isfinite(tensor).all().item<bool>())
            user_error(fmt::format("--dtype fp16: {} holds numbers beyond 65504; bf16 holds them", name));
    }
    return narrow;
}

// Returns the path to read: a run's newest checkpoint, or the source itself if it is a file of another program. Settings are for
// such files only, and read_model refuses them for anything else.
fs::path source_of(const ConvertFlags& flags, const ConvertRequest& request) {
    std::error_code ignored;
    const bool foreign = flags.from != "diffusers" && (flags.from != "auto" || fs::is_regular_file(flags.source, ignored));
    const bool has_settings = !request.settings.empty() || !request.key.empty();
    return foreign || has_settings ? fs::path(flags.source) : resolve_checkpoint(flags.source);
}

int run_convert(ConvertFlags flags) {
    ignore_sigpipe();
    if (flags.source.empty() || flags.target.empty())
        user_error("convert: from what, to what? give SOURCE and TARGET",
                   "for example: ddpm convert model.pt model --set image_size=64 --set num_head_channels=64");
    fs::path target = fs::absolute(flags.target);
    if (!target.has_filename()) target = target.parent_path();
    if (flags.to.empty()) flags.to = target.extension() == ".safetensors" ? "safetensors" : "diffusers";
    std::vector<std::string> sources = convert_formats();
    sources.insert(sources.begin(), "auto");
    read_choice(flags.from, "--from", sources);
    read_choice(flags.to, "--to", targets());
    read_choice(flags.dtype, "--dtype", {"fp32", "fp16", "bf16"});
    const bool folder = flags.to == "diffusers";
    if (folder && target.extension() == ".safetensors")
        user_error(flags.target + ": is the name of a .safetensors file, expected a folder's for --to diffusers");
    if (!folder && target.extension() != ".safetensors")
        user_error(flags.target + ": expected a name that ends in .safetensors for --to safetensors");
    check_target(flags, folder);

    ConvertRequest request;
    request.from = flags.from;
    request.settings = read_settings(flags);
    request.key = flags.key;
    catch_stop_signals();
    const fs::path source = source_of(flags, request);
    const ConvertedModel model = read_model(source, request);
    spdlog::info("{}: {}, {}", flags.source, model.format, describe_unet(model.unet));
    const NamedTensors weights = with_dtype(model.weights, flags.dtype == "fp16"   ? at::kHalf
                                                           : flags.dtype == "bf16" ? at::kBFloat16
                                                                                   : at::kFloat);
    throw_if_stopped();
    make_folders(target.parent_path());
    fs::path written = flags.target;
    if (folder) {
        StagedFolder staged(place_of_folder(target));
        write_pipeline(staged.path(), model.unet, model.scheduler, weights);
        throw_if_stopped();
        if (const fs::path place = staged.commit(flags.overwrite && !obstacle(target, folder)); !fs::equivalent(place, target))
            written = place;
    } else {
        write_pipeline_file(target, model.unet, model.scheduler, weights);
    }
    if (has_training(source) && !training_config(source).value("sample", Json::object()).empty())
        spdlog::info("the run's own sample section (sampler, steps) is not written; give --sampler and --steps to sample");
    if (const auto names = has_training(source) ? training_label_names(source) : std::vector<std::string>{}; !names.empty())
        spdlog::warn("the names of the classes ({}) are not written; --label takes their numbers", join(names));
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
