#include "cli/initial_weights.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/class_rows.h"
#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::cli {

namespace {

constexpr const char* kTable = "class_embedding.weight";

bool has_table(const UNetConfig& unet) { return unet.num_class_embeds && !unet.class_embed_type; }

// Where each row of the new table comes from; −1: from the seed.
std::vector<int64_t> origins_of_rows(const InitialModel& model, const Config& config, const std::vector<std::string>& classes,
                                     bool numbered) {
    const ClassTable there{model.class_names, *model.pipeline.unet.num_class_embeds};
    std::vector<int64_t> origins = rows_of_classes(there, classes, numbered, "--init-from " + model.path);
    origins.resize(static_cast<size_t>(*config.model.num_class_embeds), -1);
    // The last row is the empty label, where the classes leave it free. A model without names has it at the same place, if its
    // table is as long.
    const bool same_place = model.class_names.empty() && there.rows == static_cast<int64_t>(origins.size());
    const bool taken = std::find(origins.begin(), origins.end(), there.rows - 1) != origins.end();
    if (origins.size() > classes.size() && (same_place || model.has_empty_label) && !taken) origins.back() = there.rows - 1;
    return origins;
}

void tell_of_rows(const InitialModel& model, const Config& config, const std::vector<std::string>& classes,
                  const std::vector<int64_t>& origins) {
    std::vector<std::string> taken, fresh;
    const std::vector<std::string> left = missing_from(classes, model.class_names);
    for (size_t i = 0; i < classes.size(); ++i) (origins[i] < 0 ? fresh : taken).push_back(classes[i]);
    if (config.train.class_dropout > 0 && origins.back() < 0) fresh.emplace_back("the empty label");
    const std::string text =
        fmt::format("--init-from {}: classes by {}: {}{}{}", model.path, model.class_names.empty() ? "number" : "name",
                    taken.empty() ? "none" : first_names(taken), fresh.empty() ? "" : "; new, from the seed: " + first_names(fresh),
                    left.empty() ? "" : "; left behind: " + first_names(left));
    if (taken.empty())
        spdlog::warn(text);
    else
        spdlog::info(text);
}

}  // namespace

namespace {

InitialModel open_checkpoint(const std::string& path, const fs::path& checkpoint, const Config& config) {
    InitialModel model{path, open_pipeline(checkpoint), nullptr, {}, false};
    const UNetConfig ours = resolve_unet(config);
    UNetConfig theirs = model.pipeline.unet;
    if (has_table(theirs) && has_table(ours)) theirs.num_class_embeds = ours.num_class_embeds;
    const std::vector<std::string> differences = compare_networks(theirs, ours);
    if (!differences.empty())
        user_error(fmt::format("--init-from {}: another network than the configuration's: {}", path, join(differences)),
                   "the keys of its unet/config.json may stand in the section model as they are");
    const SchedulerConfig& scheduler = model.pipeline.scheduler;
    if (model.pipeline.has_scheduler && scheduler.prediction_type != config.diffusion.prediction_type)
        spdlog::warn("--init-from {}: its network predicts {}, the configuration's {}", path, scheduler.prediction_type,
                     config.diffusion.prediction_type);
    if (model.pipeline.has_scheduler && !same_noise(make_schedule(scheduler), make_schedule(config.diffusion)))
        spdlog::warn("--init-from {}: its network learnt another schedule ({}) than the configuration's ({})", path,
                     describe_scheduler(scheduler), describe_scheduler(to_scheduler(config.diffusion)));
    if (theirs.num_class_embeds && has_training(checkpoint)) {
        model.class_names = training_label_names(checkpoint);
        const Json train = training_config(checkpoint).value("train", Json::object());
        model.has_empty_label = train.value("class_dropout", Json(0)) > 0;
    }
    model.network = load_unet(model.pipeline);
    return model;
}

}  // namespace

InitialModel open_initial(const std::string& path, const Config& config) {
    return with_checkpoint(path, NeededFiles::drawing,
                           [&](const fs::path& checkpoint) { return open_checkpoint(path, checkpoint, config); });
}

std::shared_ptr<const UNet2D> load_initial(const InitialModel& model, const Config& config, const Dataset& data) {
    const std::shared_ptr<const UNet2D>& loaded = model.network;
    spdlog::info("--init-from {}: beginning with its weights ({})", model.path, describe_unet(model.pipeline.unet));
    const UNetConfig ours = resolve_unet(config);
    const std::vector<std::string>& classes = data.class_names();
    if (!ours.num_class_embeds || (classes == model.class_names && model.pipeline.unet.num_class_embeds == ours.num_class_embeds))
        return loaded;
    const std::vector<int64_t> origins = origins_of_rows(model, config, classes, config.dataset.type != "image_folder");
    size_t kept = 0;  // classes with the number that they had
    while (kept < classes.size() && origins[kept] == static_cast<int64_t>(kept)) ++kept;
    if (!has_table(ours) && kept < classes.size())
        user_error(
            fmt::format("--init-from {}: its labels are embedded like times (class_embed_type {}), and class {} had no number "
                        "or another one there",
                        model.path, *ours.class_embed_type, quote(classes[kept])),
            "name the classes so that each keeps its number");
    tell_of_rows(model, config, classes, origins);
    if (kept == classes.size() && model.pipeline.unet.num_class_embeds == ours.num_class_embeds) return loaded;
    const at::NoGradGuard no_grad;
    auto unet = std::make_shared<UNet2D>(ours);
    initialize_weights(*unet, static_cast<uint64_t>(config.seed));
    const NamedTensors from = named_tensors(*loaded), to = named_tensors(*unet);
    for (size_t i = 0; i < to.size(); ++i) {
        at::Tensor target = to[i].second;
        if (to[i].first != kTable) {
            target.copy_(from[i].second);
            continue;
        }
        for (size_t row = 0; row < origins.size(); ++row)
            if (origins[row] >= 0) target[static_cast<int64_t>(row)].copy_(from[i].second[origins[row]]);
    }
    return unet;
}

}  // namespace ddpm::cli
