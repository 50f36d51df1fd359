#include "ddpm/run/snapshots.h"

#include <algorithm>
#include <map>

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"
#include "ddpm/run/power_ema.h"
#include "ddpm/run/run_folder.h"
#include "run/checkpoint_files.h"

namespace ddpm {

namespace {

constexpr int64_t kSnapshotFormat = 1;
constexpr const char *kFormatKey = "ema_format", *kEnding = ".safetensors", *kWidth = "-width-";
constexpr int64_t kFinest = 128;  // spacings of snapshots in a whole run at most

// The d of snapshot_due.
int64_t snapshot_spacing(int64_t newest, int64_t steps) {
    int64_t d = 1;
    while ((newest - 1) / kMostSnapshots >= d || (steps - 1) / kFinest >= d) d *= 2;  // n ≤ 16·d without overflow
    return d;
}

void remove_snapshot(const Snapshot& snapshot) {
    std::error_code error;
    fs::remove(snapshot.path, error);
    if (error) runtime_failure(fmt::format("{}: can't remove: {}", snapshot.path.string(), error.message()));
}

}  // namespace

bool snapshot_due(int64_t step, int64_t steps) { return step == steps || step % snapshot_spacing(step, steps) == 0; }

bool snapshot_stays(int64_t step, int64_t newest, int64_t steps) {
    return step == newest || step % snapshot_spacing(newest, steps) == 0;
}

std::string snapshot_name(int64_t step, double width) {
    return fmt::format("{}{}{}{}", checkpoint_name(step), kWidth, width, kEnding);
}

std::optional<Snapshot> snapshot_named(const std::string& name) {
    const std::string ending = kEnding, between = kWidth;
    const size_t at = name.find(between);
    if (at == name.npos || !name.ends_with(ending) || at + between.size() + ending.size() > name.size()) return std::nullopt;
    const auto step = run::step_of(name.substr(0, at));
    const std::string number = name.substr(at + between.size(), name.size() - ending.size() - at - between.size());
    if (!step || !Json::accept(number)) return std::nullopt;
    const Json width = Json::parse(number);
    if (!width.is_number_float() || snapshot_name(*step, width.get<double>()) != name) return std::nullopt;
    return Snapshot{*step, width.get<double>(), name};
}

void write_snapshot(const fs::path& run, const SnapshotInfo& info, const NamedTensors& average) {
    make_folders(run / "ema");
    write_safetensors(run / "ema" / snapshot_name(info.step, info.width), average,
                      {{"format", "pt"},
                       {kFormatKey, fmt::format("{}", kSnapshotFormat)},
                       {"step", fmt::format("{}", info.step)},
                       {"updates", fmt::format("{}", info.updates)},
                       {"width", fmt::format("{}", info.width)},
                       {"gamma", fmt::format("{}", info.gamma)}});
}

std::vector<Snapshot> list_snapshots(const fs::path& run) {
    std::vector<Snapshot> found;
    if (type_of(run / "ema") != fs::file_type::directory) return found;
    for (const fs::path& entry : entries_of(run / "ema"))
        if (auto snapshot = snapshot_named(entry.filename().string())) {
            snapshot->path = entry;
            found.push_back(std::move(*snapshot));
        }
    std::sort(found.begin(), found.end(),
              [](const Snapshot& a, const Snapshot& b) { return a.step != b.step ? a.step < b.step : a.width < b.width; });
    return found;
}

SnapshotInfo read_snapshot_info(const Snapshot& snapshot) {
    const std::string source = snapshot.path.string();
    std::map<std::string, std::string> metadata;
    for (const auto& [key, value] : read_safetensors_header(snapshot.path).metadata) metadata[key] = value;
    const auto value = [&](const char* key) {
        if (!metadata.contains(key))
            user_error(fmt::format("{}: its __metadata__ has no {}, so that it is no average of a run", source, key));
        return parse_json(metadata[key], fmt::format("{}: __metadata__.{}", source, key));
    };
    const auto path = [&](const char* key) { return fmt::format("{}: __metadata__.{}", source, key); };
    if (const int64_t format = read_integer(value(kFormatKey), path(kFormatKey), Range::at_least(1)); format != kSnapshotFormat)
        user_error(fmt::format("{}: has the format {}, expected {}; a newer program wrote it", source, format, kSnapshotFormat));
    SnapshotInfo info;
    info.step = read_integer(value("step"), path("step"), Range::at_least(1));
    info.updates = read_integer(value("updates"), path("updates"), Range::between(1, static_cast<double>(info.step)));
    info.width = read_number(value("width"), path("width"), {});
    check_ema_width(info.width, path("width"));
    info.gamma = read_number(value("gamma"), path("gamma"), Range::at_least(0));
    if (info.step != snapshot.step || info.width != snapshot.width)
        user_error(fmt::format("{}: is of step {} and width {}, and not what its name says", source, info.step, info.width));
    return info;
}

std::optional<std::string> damage_of_snapshot(const Snapshot& snapshot) {
    try {
        read_snapshot_info(snapshot);
        const SafetensorsFile file(snapshot.path);
        if (!file.has_checksum()) user_error(snapshot.path.string() + ": carries no checksum");
        file.verify();
        return std::nullopt;
    } catch (const Unreadable&) {
        throw;
    } catch (const Error& error) {
        std::string text = error.what();
        for (const std::string& said_already : {snapshot.path.string() + ": ", std::string("damaged: ")})
            if (text.rfind(said_already, 0) == 0) text = text.substr(said_already.size());
        return text;
    }
}

std::optional<TensorShapes> shapes_of_run(const fs::path& run) {
    const std::vector<Checkpoint> all = run::step_folders(run / "checkpoints");
    for (auto newest = all.rbegin(); newest != all.rend(); ++newest) {
        try {
            TensorShapes shapes;
            const WeightSource weights(newest->path / run::kEmaWeights);
            for (const auto& [name, item] : weights.items()) shapes[name] = item.entry.shape;
            return shapes;
        } catch (const Error&) {  // it is damaged, or was removed meanwhile
        }
    }
    return std::nullopt;
}

std::optional<std::string> misfit_of_snapshot(const Snapshot& snapshot, const TensorShapes& expected) {
    const auto misfit = [](const std::string& what) { return "holds an average of another network: " + what; };
    try {
        const WeightSource source(snapshot.path);
        for (const auto& [name, shape] : expected) {
            const auto found = source.items().find(name);
            if (found == source.items().end()) return misfit(one_line(name) + " is missing");
            if (found->second.entry.shape != shape)
                return misfit(fmt::format("{} is [{}], and [{}] in the run's checkpoints", one_line(name),
                                          fmt::join(found->second.entry.shape, ", "), fmt::join(shape, ", ")));
        }
        for (const auto& [name, item] : source.items())
            if (!expected.contains(name)) return misfit(one_line(name) + " is not in the run's checkpoints");
    } catch (const Error&) {
    }
    return std::nullopt;
}

void thin_snapshots(const fs::path& run, int64_t steps) {
    const std::vector<Snapshot> all = list_snapshots(run);
    for (const Snapshot& snapshot : all)
        if (!snapshot_stays(snapshot.step, all.back().step, steps)) remove_snapshot(snapshot);
}

void remove_snapshots_after(const fs::path& run, int64_t step) {
    for (const Snapshot& snapshot : list_snapshots(run))
        if (snapshot.step > step) remove_snapshot(snapshot);
}

}  // namespace ddpm
