#include "cli/config.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/diffusion/loss_weighting.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/quality.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::cli {

namespace {

const FieldTable<Config>& top_fields() {
    static const FieldTable<Config> table =
        FieldTable<Config>().add("seed", &Config::seed, Range::at_least(0), "all randomness follows from it");
    return table;
}

// Calls visit(name, table, options of that section) for every section in order. This is the only list of the sections.
template <class ConfigType, class Visit>
void for_each_section(ConfigType& config, Visit visit) {
    visit("dataset", dataset_fields(), config.dataset);
    visit("model", model_fields(), config.model);
    visit("diffusion", diffusion_fields(), config.diffusion);
    visit("train", train_fields(), config.train);
    visit("sample", sample_fields(), config.sample);
    visit("eval", judging_fields(), config.eval);
}

std::vector<std::string> top_names() {
    std::vector<std::string> names = top_fields().names();
    Config config;
    for_each_section(config, [&](const char* name, const auto&, const auto&) { names.emplace_back(name); });
    return names;
}

// Returns how the pictures during training are sampled.
ResolvedSampling resolve_pictures(const Config& config) {
    SampleOptions fallback;
    fallback.variance = config.diffusion.variance_type;
    return resolve_sampling(config.sample, fallback, make_schedule(config.diffusion));
}

bool learns_variance(const Config& config) {
    return parse_variance_type(config.diffusion.variance_type) == VarianceType::learned_range;
}

// Refuses contradictions between sections.
void check_across(const Config& config) {
    if (config.train.class_dropout > 0 && !config.model.num_class_embeds)
        key_error("train.class_dropout",
                  "labels can be dropped only if the model has them; set model.num_class_embeds "
                  "to the number of classes + 1, or class_dropout to 0");
    const ResolvedSampling pictures = resolve_pictures(config);
    check_whole_times(pictures, resolve_unet(config).time_embedding_type);
    if (pictures.guidance.on() && config.train.class_dropout == 0)
        key_error("sample.guidance_scale",
                  "guidance needs an empty label, which is trained with train.class_dropout above 0, for example 0.1");
    if (pictures.variance == VarianceType::learned_range && !learns_variance(config))
        key_error("sample.variance", "learned_range is for a network that predicts a variance; expected " +
                                         join(fixed_variance_type_names()) + ", or diffusion.variance_type learned_range");
}

// Refuses names that `ddpm eval quality` refuses, and a first number of which more is better.
void check_judging(const JudgingOptions& options) {
    const auto about = [](const char* key, const auto& read) {
        try {
            return read();
        } catch (const Error& error) {
            key_error(key, error.message(), error.hint());
        }
    };
    about("eval.features", [&] { return read_feature_choice(options.features); });
    const std::vector<QualityMetric> metrics = about("eval.metrics", [&] { return read_quality_metrics(options.metrics); });
    if (metrics.front().is_distance) return;
    std::vector<std::string> distances;
    for (const QualityMetric& metric : quality_metrics())
        if (metric.is_distance) distances.push_back(metric.name);
    key_error("eval.metrics",
              fmt::format("begins with {}, of which more is better; the first one decides which checkpoint is the best, "
                          "so expected one of {} there",
                          quote(metrics.front().name), join(distances)));
}

struct Assignment {
    std::string path;
    Json value;
};

Assignment parse_assignment(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        user_error(fmt::format("--set: got {}, expected section.key=value, for example train.steps=5000", quote(text)));
    Assignment assignment{text.substr(0, equals), {}};
    if (!is_utf8(text))
        user_error(fmt::format("--set {}: got {}, which is not UTF-8, so no configuration can hold it", as_utf8(assignment.path),
                               quote(text.substr(equals + 1))),
                   "rename the file or folder, or give it by a link");
    const std::string value = text.substr(equals + 1);
    if (Json::accept(value))
        assignment.value = parse_json(value, "--set " + assignment.path);
    else
        assignment.value = value;
    return assignment;
}

void apply(Json& json, const Assignment& assignment) {
    const std::vector<std::string> parts = split(assignment.path, '.');
    std::vector<std::string> known;
    for (const FieldInfo& info : describe_config()) known.push_back(info.name);
    if (parts.size() > 2 || std::find(known.begin(), known.end(), assignment.path) == known.end()) {
        const std::string near = nearest_name(assignment.path, known);
        user_error(fmt::format("--set: unknown key {}{}", quote(assignment.path),
                               near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)),
                   "`ddpm config` lists every key");
    }
    if (parts.size() == 1) {
        json[parts[0]] = assignment.value;
    } else {
        if (!json.contains(parts[0])) json[parts[0]] = Json::object();
        Json& section = json[parts[0]];
        if (section.is_object()) section[parts[1]] = assignment.value;
    }
}

// Reads the keys that `json` holds, without looking for contradictions. `kept` says that it is the complete configuration of a run.
void read_sections(const Json& json, Config& config, bool kept = false) {
    if (!json.is_object()) user_error("got " + brief(json) + ", expected an object with sections");
    Json top = json;
    for_each_section(config, [&](const char* name, const auto& table, auto& options) {
        const Json section = top.value(name, Json::object());
        if (kept)
            table.read_written(options, section, name);
        else
            table.read(options, section, name);
        top.erase(name);
    });
    for (const auto& item : top.items())
        if (item.key() != "seed") user_error(unknown_name("key", item.key(), top_names()));
    if (const auto seed = top.find("seed"); seed != top.end()) config.seed = read_integer(*seed, "seed", Range::at_least(0));
}

void check_sections(const Config& config) {
    check(config.dataset);
    check(config.diffusion);
    check(config.train);
    check(config.train, config.diffusion);
    check_across(config);
    check_judging(config.eval);
}

bool is_given(const Json& json, const std::string& key) {
    const std::vector<std::string> parts = split(key, '.');
    if (parts.size() == 1) return json.contains(key);
    const auto section = json.find(parts[0]);
    return section != json.end() && (!section->is_object() || section->contains(parts[1]));
}

// Runs `action`. Its errors begin with the place where the key in question was written.
template <class Action>
void naming_source(const GivenConfig& given, const std::string& rest_source, Action action) {
    try {
        action();
    } catch (const Error& error) {
        const std::string key = error.key().substr(0, error.key().find('['));
        if (std::find(given.assigned.begin(), given.assigned.end(), key) != given.assigned.end())
            throw error.shown_as("--set " + error.key());
        const std::string& source = key.empty() || is_given(given.json, key) ? given.file : rest_source;
        if (source.empty()) throw;
        throw error.shown_as(key.empty() ? source : source + ": " + error.key());
    }
}

GivenConfig with_assignments(Json json, const std::string& file, const std::vector<std::string>& assignments) {
    GivenConfig given{std::move(json), file, {}};
    for (const std::string& text : assignments) {
        const Assignment assignment = parse_assignment(text);
        apply(given.json, assignment);
        given.assigned.push_back(assignment.path);
    }
    naming_source(given, file, [&] {
        Config scratch;
        read_sections(given.json, scratch);
    });
    return given;
}

Config over_defaults(const GivenConfig& given) {
    const Config defaults, config = put_over(defaults, given);
    check_config(config, given, given.file);
    return config;
}

}  // namespace

Config read_config(const Json& json) {
    Config config;
    read_sections(json, config);
    check_sections(config);
    return config;
}

GivenConfig read_given(const std::filesystem::path& file, const std::vector<std::string>& assignments) {
    Json json = read_json_file(file);
    if (!json.is_object()) user_error(fmt::format("{}: got {}, expected an object with sections", file.string(), brief(json)));
    return with_assignments(std::move(json), file.string(), assignments);
}

Config put_over(Config rest, const GivenConfig& given) {
    read_sections(given.json, rest);
    return rest;
}

void check_config(const Config& config, const GivenConfig& given, const std::string& rest_source) {
    naming_source(given, rest_source, [&] { check_sections(config); });
}

Config read_kept_config(const Json& json, const std::string& source) {
    Config config;
    naming_source({json, source, {}}, source, [&] { read_sections(json, config, true); });
    return config;
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& assignments) {
    return over_defaults(read_given(file, assignments));
}

Config read_assignments(const std::vector<std::string>& assignments) {
    return over_defaults(with_assignments(Json::object(), "", assignments));
}

Json write_config(const Config& config) {
    Config settled = config;
    settled.model = settle_model(config.model, config.dataset.height, config.dataset.width);
    Json json = top_fields().write(settled);
    for_each_section(settled, [&](const char* name, const auto& table, const auto& options) { json[name] = table.write(options); });
    return json;
}

std::vector<FieldInfo> describe_config() {
    std::vector<FieldInfo> all = top_fields().describe();
    Config config;
    for_each_section(config, [&](const char* name, const auto& table, const auto&) {
        for (FieldInfo info : table.describe()) {
            info.name = fmt::format("{}.{}", name, info.name);
            all.push_back(std::move(info));
        }
    });
    return all;
}

UNetConfig resolve_unet(const Config& config) {
    return resolve_unet(config.model, config.dataset.height, config.dataset.width, config.dataset.channels,
                        learns_variance(config));
}

std::vector<std::string> warnings_of(const Config& config) {
    std::vector<std::string> warnings;
    const NoiseSchedule schedule = make_schedule(config.diffusion);
    if (const std::string warning = warning_of(schedule); !warning.empty())
        warnings.push_back(fmt::format("diffusion.schedule {}: {}", quote(config.diffusion.schedule), warning));
    const PredictionType type = parse_prediction_type(config.diffusion.prediction_type);
    if (const std::string warning = warning_of(config.train, type, schedule.levels()); !warning.empty())
        warnings.push_back(fmt::format("train.loss_weighting {}: {}", quote(config.train.loss_weighting), warning));
    if (const std::string notice = resolve_pictures(config).notice; !notice.empty()) warnings.push_back("sample: " + notice);
    return warnings;
}

}  // namespace ddpm::cli
