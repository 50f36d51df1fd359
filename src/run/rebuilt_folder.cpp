#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/run/rebuild.h"
#include "ddpm/run/run_folder.h"
#include "run/checkpoint_files.h"

namespace ddpm {

bool is_rebuilt(const fs::path& folder) {
    if (!is_file(folder / run::kCounters)) return false;
    try {
        const Json counters = training_counters(folder);
        return counters.is_object() && counters.contains(run::kRebuilt) && counters[run::kRebuilt].is_object();
    } catch (const Unreadable&) {
        throw;
    } catch (const Error&) {
        return false;
    }
}

RebuiltFrom read_rebuilt_from(const fs::path& named, const fs::path& checkpoint) {
    const Pipeline pipeline = open_pipeline(checkpoint);
    const auto text = [&](const char* file) { return read_file(checkpoint / file, run::max_json_bytes(file)); };
    return {named.string(), pipeline.unet, pipeline.scheduler, text(run::kConfig), text(run::kLabels)};
}

void write_rebuilt(const fs::path& folder, const RebuiltFrom& from, const Rebuild& rebuild, const NamedTensors& weights) {
    write_pipeline(folder, from.unet, from.scheduler, weights);
    make_folders(folder / "training");
    write_file(folder / run::kConfig, from.config);
    write_file(folder / run::kLabels, from.labels);
    Json terms = Json::array();
    for (const auto& [snapshot, weight] : rebuild.terms)
        terms.push_back({{"step", snapshot.step}, {"width", snapshot.width}, {"weight", weight}});
    run::write_counters(folder, {{"step", rebuild.step},
                                 {run::kRebuilt,
                                  {{"run", from.run},
                                   {"step", rebuild.step},
                                   {"width", rebuild.width},
                                   {"error", rebuild.error},
                                   {"residual", rebuild.residual},
                                   {"snapshots", terms}}}});
}

}  // namespace ddpm
