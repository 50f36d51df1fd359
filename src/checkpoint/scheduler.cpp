#include "ddpm/checkpoint/scheduler.h"

#include <algorithm>
#include <map>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/unet_json.h"  // the version of diffusers
#include "ddpm/core/error.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"
#include "ddpm/diffusion/betas.h"

namespace ddpm {

namespace {

using S = SchedulerConfig;

FieldTable<S> common_fields() {
    FieldTable<S> fields;
    fields.add("num_train_timesteps", &S::num_train_timesteps, Range::between(1, 1e6), "T")
        .add("beta_start", &S::beta_start, Range::between(0, 1), "first beta")
        .add("beta_end", &S::beta_end, Range::between(0, 1), "last beta")
        .custom(
            {"trained_betas", "list of numbers or null", {}, {}, "all betas"},
            [](S& config, const Json& value, const std::string& path) {
                config.trained_betas.reset();
                if (value.is_null()) return;
                if (!value.is_array()) wrong_value(value, path, "a list of numbers");
                std::vector<double> betas;
                for (size_t i = 0; i < value.size(); ++i)
                    betas.push_back(read_number(value[i], fmt::format("{}[{}]", path, i), Range::between(0, 1)));
                config.trained_betas = std::move(betas);
            },
            [](const S& config) { return config.trained_betas ? Json(*config.trained_betas) : Json(nullptr); })
        .add("clip_sample", &S::clip_sample, "whether the predicted image is clipped")
        .add("clip_sample_range", &S::clip_sample_range, Range::above(0), "to ± this")
        .choice("prediction_type", &S::prediction_type, prediction_type_names(), "what the network predicts")
        .add("thresholding", &S::thresholding, "dynamic thresholding")
        .add("dynamic_thresholding_ratio", &S::dynamic_thresholding_ratio, Range::between(0, 1), "its quantile")
        .add("sample_max_value", &S::sample_max_value, Range::above(0), "its limit")
        .choice("timestep_spacing", &S::timestep_spacing, {"leading", "trailing", "linspace"}, "of fewer steps")
        .add("steps_offset", &S::steps_offset, Range::between(0, 1e6), "added to leading timesteps")
        .add("rescale_betas_zero_snr", &S::rescale_betas_zero_snr, "zero terminal SNR");
    return fields;
}

const FieldTable<S>& ddpm_fields() {
    static const FieldTable<S> table =
        common_fields()
            .choice("beta_schedule", &S::beta_schedule, {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"},
                    "rule of the betas")
            .choice("variance_type", &S::variance_type, {"fixed_small", "fixed_small_log", "fixed_large", "learned_range"},
                    "variance of a sampling step");
    return table;
}

const FieldTable<S>& ddim_fields() {
    static const FieldTable<S> table =
        common_fields()
            .choice("beta_schedule", &S::beta_schedule, {"linear", "scaled_linear", "squaredcos_cap_v2"}, "rule of the betas")
            .add("set_alpha_to_one", &S::set_alpha_to_one, "whether the last step ends without noise");
    return table;
}

const FieldTable<S>& fields_of(const std::string& class_name, const std::string& source) {
    if (class_name == "DDPMScheduler") return ddpm_fields();
    if (class_name == "DDIMScheduler") return ddim_fields();
    user_error(fmt::format("{}: {} is not supported, expected DDPMScheduler or DDIMScheduler", source, quote(class_name)));
}

}  // namespace

SchedulerConfig scheduler_from_json(const Json& json, const std::string& source) {
    if (!json.is_object()) wrong_value(json, source, "an object");
    SchedulerConfig config;
    if (json.contains("_class_name")) config.class_name = read_text(json["_class_name"], source + ": _class_name");
    const FieldTable<S>& fields = fields_of(config.class_name, source);
    const std::vector<std::string> known = fields.names();
    Json ours = Json::object();
    for (const auto& item : json.items()) {
        if (item.key().rfind('_', 0) == 0) continue;
        if (std::find(known.begin(), known.end(), item.key()) == known.end())
            spdlog::warn("{}: unknown key {} is ignored", source, quote(item.key()));
        else
            ours[item.key()] = item.value();
    }
    const std::string path = source + ": scheduler";
    fields.read(config, ours, path);
    if (config.thresholding && config.dynamic_thresholding_ratio == 0)
        user_error(path + ".dynamic_thresholding_ratio: got 0, expected above 0 with thresholding");
    if (config.thresholding && config.sample_max_value < 1)
        user_error(
            fmt::format("{}.sample_max_value: got {}, expected at least 1 with thresholding", path, config.sample_max_value));
    if (!config.set_alpha_to_one)
        user_error(path + ".set_alpha_to_one: false is not supported, expected true (it is for latent diffusion)");
    if (config.trained_betas && static_cast<int64_t>(config.trained_betas->size()) != config.num_train_timesteps)
        user_error(fmt::format("{}.trained_betas: {} betas, expected num_train_timesteps = {}", path, config.trained_betas->size(),
                               config.num_train_timesteps));
    return config;
}

Json scheduler_to_json(const SchedulerConfig& config) {
    const Json fields = fields_of(config.class_name, "scheduler").write(config);
    std::map<std::string, Json> sorted;
    for (const auto& item : fields.items()) sorted[item.key()] = item.value();
    sorted["_class_name"] = config.class_name;
    sorted["_diffusers_version"] = kDiffusersVersion;
    Json json = Json::object();
    for (auto& [key, value] : sorted) json[key] = std::move(value);
    return json;
}

SchedulerConfig to_scheduler(const DiffusionOptions& options) {
    SchedulerConfig config;
    config.num_train_timesteps = options.timesteps;
    config.beta_start = options.beta_start;
    config.beta_end = options.beta_end;
    config.prediction_type = options.prediction_type;
    config.variance_type = options.variance_type;
    config.rescale_betas_zero_snr = options.zero_terminal_snr;
    if (options.schedule == "linear" && options.rescale) {
        const double scale = 1000.0 / static_cast<double>(options.timesteps);
        config.beta_start *= scale;
        config.beta_end *= scale;
    } else if (options.schedule == "cosine") {
        config.beta_schedule = "squaredcos_cap_v2";
    } else if (options.schedule == "scaled_linear") {
        config.beta_schedule = "scaled_linear";
    } else if (options.schedule != "linear") {
        // diffusers has no name for this schedule. It applies rescale_betas_zero_snr to these betas itself.
        DiffusionOptions plain = options;
        plain.zero_terminal_snr = false;
        config.trained_betas = make_betas(plain);
    }
    return config;
}

std::vector<double> make_betas(const SchedulerConfig& config) {
    const int64_t T = config.num_train_timesteps;
    std::vector<double> betas;
    if (config.trained_betas)
        betas = *config.trained_betas;
    else if (config.beta_schedule == "linear")
        betas = linear_betas(T, config.beta_start, config.beta_end);
    else if (config.beta_schedule == "scaled_linear")
        betas = scaled_linear_betas(T, config.beta_start, config.beta_end);
    else if (config.beta_schedule == "squaredcos_cap_v2")
        betas = cosine_betas(T);
    else
        betas = diffusers_sigmoid_betas(T, config.beta_start, config.beta_end);
    return config.rescale_betas_zero_snr ? zero_terminal_snr_betas(betas) : betas;
}

VarianceType variance_type(const SchedulerConfig& config) {
    return parse_variance_type(config.variance_type == "fixed_small_log" ? "fixed_small" : config.variance_type);
}

}  // namespace ddpm
