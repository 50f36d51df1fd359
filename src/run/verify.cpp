#include "ddpm/run/verify.h"

#include <algorithm>
#include <functional>
#include <memory>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/run/rebuild.h"
#include "ddpm/run/resolve.h"
#include "run/checkpoint_files.h"

namespace ddpm {

namespace {

bool has_checksums(const WeightSource& source) {
    const SafetensorsMetadata metadata = source.metadata();
    return std::any_of(metadata.begin(), metadata.end(), [](const auto& item) { return item.first == kChecksumKey; });
}

// Tells of the tensors that hold numbers which are not finite, as in "unet/x.safetensors: 2 of 40 tensors with values that
// are not finite: a.weight, b.bias". `below` is what the names of files are shown relative to. Nothing if there are none.
std::optional<std::string> not_finite(const WeightSource& source, const fs::path& below) {
    constexpr size_t kShown = 5;
    std::vector<std::string> names;
    for (const auto& [name, item] : source.items()) {
        const at::Tensor tensor = source.read(item);
        if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>()) names.push_back(one_line(item.entry.name));
    }
    if (names.empty()) return std::nullopt;
    const size_t count = names.size();
    names.resize(std::min(count, kShown));
    const std::string file = source.path() == below ? "" : source.path().lexically_relative(below).string() + ": ";
    return fmt::format("{}{} of {} with values that are not finite: {}{}", file, count,
                       plural(static_cast<int64_t>(source.items().size()), "tensor"), join(names),
                       count > kShown ? fmt::format(" and {} more", count - kShown) : "");
}

// `open` opens what `path` leads to.
Verdict verdict_of(const fs::path& path, const std::function<std::shared_ptr<const WeightSource>()>& open) {
    try {
        const std::shared_ptr<const WeightSource> source = open();
        source->verify();
        return {path, std::nullopt, true, has_checksums(*source), not_finite(*source, path)};
    } catch (const WrongKind& error) {
        if (is_file(path) && error.look().kind != FileKind::empty) throw;  // nothing is damaged, but another thing was meant
        return {path, error.what()};
    } catch (const SeveralNetworks&) {
        throw;
    } catch (const Unreadable& error) {
        return {path, error.what(), false};
    } catch (const Error& error) {
        return {path, error.what()};
    }
}

// What not_finite says of all three files of tensors.
std::optional<std::string> not_finite_in_checkpoint(const fs::path& checkpoint) {
    std::vector<std::string> found;
    for (const char* file : {run::kEmaWeights, run::kRawWeights, run::kOptimizer}) {
        if (is_rebuilt(checkpoint) && file != run::kEmaWeights) continue;
        if (const auto what = not_finite(WeightSource(checkpoint / file), checkpoint)) found.push_back(*what);
    }
    return found.empty() ? std::nullopt : std::optional(join(found, "; "));
}

// Returns nothing for a checkpoint that a run has removed meanwhile.
std::optional<Verdict> verdict_of_ours(const fs::path& checkpoint) {
    Verdict verdict{checkpoint, std::nullopt};
    try {
        verdict.damage = damage_of(checkpoint, NeededFiles::all);
        if (!verdict.damage) {
            verdict.has_checksums = has_checksums(WeightSource(checkpoint / run::kEmaWeights));
            verdict.not_finite = not_finite_in_checkpoint(checkpoint);
        }
    } catch (const Error& error) {
        verdict = {checkpoint, error.what(), false};
    }
    std::error_code ignored;
    return fs::exists(fs::symlink_status(checkpoint, ignored)) ? std::optional(verdict) : std::nullopt;
}

// Returns nothing for a snapshot that a run has removed meanwhile.
std::optional<Verdict> verdict_of_snapshot(const Snapshot& snapshot, const std::optional<TensorShapes>& expected) {
    Verdict verdict{snapshot.path, std::nullopt};
    try {
        verdict.damage = damage_of_snapshot(snapshot);
        if (!verdict.damage && expected) verdict.damage = misfit_of_snapshot(snapshot, *expected);
        if (!verdict.damage) verdict.not_finite = not_finite(WeightSource(snapshot.path), snapshot.path);
    } catch (const Error& error) {
        verdict = {snapshot.path, error.what(), false};
    }
    return was_removed(snapshot) ? std::nullopt : std::optional(verdict);
}

void add_snapshots(const fs::path& run, std::vector<Verdict>& verdicts) {
    const fs::path ema = run / "ema";
    if (own_type(ema) != fs::file_type::not_found && !is_folder(ema))
        verdicts.push_back({ema, "is no folder, expected the one with the run's averages"});
    const std::optional<TensorShapes> expected = shapes_of_run(run);
    for (const Snapshot& snapshot : list_snapshots(run))
        if (auto verdict = verdict_of_snapshot(snapshot, expected)) verdicts.push_back(std::move(*verdict));
}

}  // namespace

std::vector<Verdict> verify(const fs::path& path) {
    if (look_at(path).kind != FileKind::empty) expect_model(path);  // an empty file is damaged, and no mistake
    if (is_file(path)) return {verdict_of(path, [&] { return std::make_shared<const WeightSource>(path); })};
    for (;;) {
        std::vector<Checkpoint> all = run::step_folders(path / "checkpoints");
        if (all.empty()) all = run::step_folders(path);
        if (all.empty()) break;
        std::vector<Verdict> verdicts;
        for (const Checkpoint& checkpoint : all)
            if (auto verdict = verdict_of_ours(checkpoint.path)) verdicts.push_back(std::move(*verdict));
        if (is_folder(path / "checkpoints")) add_snapshots(path, verdicts);
        if (!verdicts.empty()) return verdicts;  // otherwise a run has removed all of these meanwhile
    }
    if (is_folder(path / "training"))
        if (auto verdict = verdict_of_ours(path)) return {std::move(*verdict)};
    resolve_checkpoint(path);  // throws an error that says what is missing
    return {verdict_of(path, [&] { return open_pipeline(path).weights; })};
}

}  // namespace ddpm
