#include "ddpm/run/describe.h"

#include <algorithm>
#include <map>
#include <set>

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/memory.h"
#include "ddpm/core/text.h"
#include "ddpm/run/rebuild.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"
#include "run/checkpoint_files.h"

namespace ddpm {

namespace {

class Lines {
public:
    void add(std::string_view name, std::string_view value) { text_ += fmt::format("{:<12}{}\n", name, value); }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

// "6,472,195 in 268 tensors (F32, 25 MiB)"
std::string describe_tensors(const std::vector<SafetensorsEntry>& tensors) {
    int64_t numbers = 0;
    uint64_t bytes = 0;
    std::map<std::string, int> dtypes;
    for (const SafetensorsEntry& entry : tensors) {
        numbers += static_cast<int64_t>((entry.end - entry.begin) / safetensors_dtype_size(entry.dtype));
        bytes += entry.end - entry.begin;
        ++dtypes[entry.dtype];
    }
    std::vector<std::string> names;
    for (const auto& [dtype, count] : dtypes) names.push_back(dtype);
    return fmt::format("{} in {} tensors ({}{}{})", with_commas(numbers), tensors.size(), join(names), names.empty() ? "" : ", ",
                       format_bytes(static_cast<int64_t>(bytes)));
}

std::vector<SafetensorsEntry> tensors_of(const WeightSource& source) {
    std::vector<SafetensorsEntry> tensors;
    for (const auto& [name, item] : source.items()) tensors.push_back(item.entry);
    return tensors;
}

// Lists the keys of the section "dataset", without those that are null or empty.
std::string describe_dataset(const Json& config) {
    const Json empty = "";
    std::vector<std::string> parts;
    if (config.contains("dataset"))
        for (const auto& item : config["dataset"].items())
            if (!item.value().is_null() && item.value() != empty) parts.push_back(item.key() + " " + item.value().dump());
    return join(parts);
}

// Reads the weights as sampling does, so that the network that is described can be sampled from.
void add_pipeline(Lines& lines, const Pipeline& pipeline) {
    load_unet(pipeline);
    const SchedulerConfig& scheduler = pipeline.scheduler;
    lines.add("network", describe_unet(pipeline.unet));
    lines.add("parameters", describe_tensors(tensors_of(*pipeline.weights)));
    lines.add("schedule", describe_scheduler(scheduler) + (pipeline.has_scheduler ? "" : " (not given: diffusers' defaults)"));
    lines.add("variance", scheduler.class_name == "DDIMScheduler" ? "DDIM" : scheduler.variance_type);
    lines.add("clipping",
              scheduler.clip_sample ? fmt::format("predicted images to ±{}", scheduler.clip_sample_range) : std::string("none"));
}

std::string unquoted(const Json& value) { return value.is_string() ? one_line(value.get<std::string>()) : brief(value); }

// "width 0.08 at step 20,000, rebuilt by ddpm ema"
std::string describe_rebuilt(const Json& rebuilt) {
    return fmt::format("average of width {} at step {}, rebuilt by `ddpm ema`", brief(rebuilt.value("width", Json())),
                       brief(rebuilt.value("step", Json())));
}

// "widths 0.05, 0.1 at 2 steps, 4, 8; `ddpm ema RUN --width W` makes others of them"
std::string describe_snapshots(const std::vector<Snapshot>& snapshots) {
    std::set<double> widths;
    std::set<int64_t> steps;
    for (const Snapshot& snapshot : snapshots) {
        widths.insert(snapshot.width);
        steps.insert(snapshot.step);
    }
    return fmt::format("widths {} at {}: {}; `ddpm ema` makes other ones of them", fmt::join(widths, ", "),
                       plural(static_cast<int64_t>(steps.size()), "step"), fmt::join(steps, ", "));
}

// `folder` is what `given` stands for.
std::string describe_folder(const fs::path& folder, const fs::path& given) {
    const Pipeline pipeline = open_pipeline(folder);
    Lines lines;
    lines.add("checkpoint", printable(folder.string()));
    const bool ours = has_training(folder);
    if (ours) {
        const Json counters = training_counters(folder);
        if (counters.contains("step") && counters["step"].is_number_integer())
            lines.add("step", with_commas(counters["step"].get<int64_t>()));
        if (counters.contains("initial_weights") && counters["initial_weights"].is_string())
            lines.add("begun from", one_line(counters["initial_weights"].get<std::string>()));
        if (const Json best = counters.contains("best") ? counters["best"] : Json(); best.is_object())
            lines.add("best so far", fmt::format("step {}, loss {} of the EMA weights on held-out images; checkpoints/best",
                                                 brief(best.value("step", Json())), brief(best.value("loss", Json()))));
        if (const Json best = counters.contains("best_quality") ? counters["best_quality"] : Json(); best.is_object())
            lines.add("best judged", fmt::format("step {}, {} {} by {}; checkpoints/{}", brief(best.value("step", Json())),
                                                 unquoted(best.value("metric", Json())), brief(best.value("value", Json())),
                                                 unquoted(best.value("protocol", Json())), kBestByQuality));
        if (is_rebuilt(folder))
            lines.add("weights", describe_rebuilt(counters[run::kRebuilt]));
        else
            lines.add("weights", "EMA; the raw ones and the optimizer are in training/");
        if (has_snapshots(given)) lines.add("averages", describe_snapshots(list_snapshots(given)));
    } else {
        lines.add("kind", "diffusers pipeline");
    }
    add_pipeline(lines, pipeline);
    if (ours) {
        lines.add("data set", describe_dataset(training_config(folder)));
        std::vector<std::string> labels = training_label_names(folder);
        for (std::string& label : labels) label = printable(label);
        if (pipeline.unet.has_classes() && !labels.empty()) lines.add("labels", join(labels));
    }
    lines.add("sample", fmt::format("ddpm sample --ckpt {} --n 16 --grid grid.png", shell_word(given.string())));
    return lines.text();
}

std::string describe_file(const fs::path& path) {
    const WeightSource source(path);
    Lines lines;
    lines.add("file", printable(path.string()));
    const SafetensorsMetadata metadata = source.metadata();
    const bool whole = std::any_of(metadata.begin(), metadata.end(), [](const auto& item) { return item.first == "unet_config"; });
    if (whole) {
        add_pipeline(lines, open_pipeline(path));
        lines.add("sample", fmt::format("ddpm sample --ckpt {} --n 16 --grid grid.png", shell_word(path.string())));
    } else {
        lines.add("numbers", describe_tensors(tensors_of(source)));
        for (const auto& [key, value] : metadata) lines.add("metadata", one_line(key) + " = " + quote(value));
    }
    for (const SafetensorsEntry& entry : tensors_of(source))
        lines.add(entry.dtype, fmt::format("[{}] {}", fmt::join(entry.shape, ", "), one_line(entry.name)));
    return lines.text();
}

}  // namespace

std::string describe_checkpoint(const fs::path& path) {
    expect_model(path);
    if (is_file(path)) return describe_file(path);
    return with_checkpoint(path, NeededFiles::drawing, [&](const fs::path& folder) { return describe_folder(folder, path); });
}

}  // namespace ddpm
