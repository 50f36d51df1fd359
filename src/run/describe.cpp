#include "ddpm/run/describe.h"

#include <algorithm>
#include <map>

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"

namespace ddpm {

namespace {

class Facts {
public:
    void add(std::string_view name, std::string_view value) { text_ += fmt::format("{:<12}{}\n", name, value); }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

// "6,472,195 in 268 tensors (F32, 25.9 MB)"
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
    return fmt::format("{} in {} tensors ({}{}{:.1f} MB)", with_commas(numbers), tensors.size(), join(names),
                       names.empty() ? "" : ", ", static_cast<double>(bytes) / 1e6);
}

std::vector<SafetensorsEntry> tensors_of(const WeightSource& source) {
    std::vector<SafetensorsEntry> tensors;
    for (const auto& [name, item] : source.items()) tensors.push_back(item.entry);
    return tensors;
}

// The section as the configuration gives it, without what is null or empty.
std::string describe_dataset(const Json& config) {
    const Json empty = "";
    std::vector<std::string> parts;
    if (config.contains("dataset"))
        for (const auto& item : config["dataset"].items())
            if (!item.value().is_null() && item.value() != empty) parts.push_back(item.key() + " " + item.value().dump());
    return join(parts);
}

// The weights are read, as drawing does: what is said here is true of a network that can be drawn from.
void add_pipeline(Facts& facts, const Pipeline& pipeline) {
    load_unet(pipeline);
    const SchedulerConfig& scheduler = pipeline.scheduler;
    facts.add("network", describe_unet(pipeline.unet));
    facts.add("parameters", describe_tensors(tensors_of(*pipeline.weights)));
    facts.add("schedule",
              describe_scheduler(scheduler) + (pipeline.has_scheduler ? "" : " (not given: diffusers' defaults)"));
    facts.add("variance", scheduler.class_name == "DDIMScheduler" ? "DDIM" : scheduler.variance_type);
    facts.add("clipping", scheduler.clip_sample ? fmt::format("predicted images to ±{}", scheduler.clip_sample_range)
                                                : std::string("none"));
}

std::string describe_folder(const fs::path& given) {
    const fs::path folder = resolve_checkpoint(given);
    const Pipeline pipeline = open_pipeline(folder);
    Facts facts;
    facts.add("checkpoint", folder.string());
    const bool ours = has_training(folder);
    if (ours) {
        const Json counters = training_counters(folder);
        if (counters.contains("step") && counters["step"].is_number_integer())
            facts.add("step", with_commas(counters["step"].get<int64_t>()));
        if (counters.contains("initial_weights") && counters["initial_weights"].is_string())
            facts.add("begun from", one_line(counters["initial_weights"].get<std::string>()));
        if (const Json best = counters.contains("best") ? counters["best"] : Json(); best.is_object())
            facts.add("best so far", fmt::format("step {}, loss {} of the EMA weights on held-out images; checkpoints/best",
                                                 brief(best.value("step", Json())), brief(best.value("loss", Json()))));
        facts.add("weights", "EMA; the raw ones and the optimizer are in training/");
    } else {
        facts.add("kind", "diffusers pipeline");
    }
    add_pipeline(facts, pipeline);
    if (ours) {
        facts.add("data set", describe_dataset(training_config(folder)));
        const std::vector<std::string> labels = training_label_names(folder);
        if (pipeline.unet.has_classes() && !labels.empty()) facts.add("labels", join(labels));
    }
    facts.add("sample", fmt::format("ddpm sample --ckpt {} --n 16 --grid grid.png", given.string()));
    return facts.text();
}

std::string describe_file(const fs::path& path) {
    const WeightSource source(path);
    Facts facts;
    facts.add("file", path.string());
    const SafetensorsMetadata metadata = source.metadata();
    const bool whole = std::any_of(metadata.begin(), metadata.end(),
                                   [](const auto& item) { return item.first == "unet_config"; });
    if (whole) {
        add_pipeline(facts, open_pipeline(path));
        facts.add("sample", fmt::format("ddpm sample --ckpt {} --n 16 --grid grid.png", path.string()));
    } else {
        facts.add("numbers", describe_tensors(tensors_of(source)));
        for (const auto& [key, value] : metadata) facts.add("metadata", one_line(key) + " = " + quote(value));
    }
    for (const SafetensorsEntry& entry : tensors_of(source))
        facts.add(entry.dtype, fmt::format("[{}] {}", fmt::join(entry.shape, ", "), one_line(entry.name)));
    return facts.text();
}

}  // namespace

std::string describe_checkpoint(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) ? describe_file(path) : describe_folder(path);
}

}  // namespace ddpm
