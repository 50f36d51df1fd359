#include "ddpm/run/verify.h"

#include <algorithm>
#include <functional>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/run/resolve.h"
#include "run/checkpoint_files.h"

namespace ddpm {

namespace {

bool has_checksums(const WeightSource& source) {
    const SafetensorsMetadata metadata = source.metadata();
    return std::any_of(metadata.begin(), metadata.end(), [](const auto& item) { return item.first == kChecksumKey; });
}

Verdict verdict_of(const fs::path& path, const std::function<bool()>& check) {
    try {
        return {path, std::nullopt, true, check()};
    } catch (const Unreadable& error) {
        return {path, error.what(), false};
    } catch (const Error& error) {
        return {path, error.what()};
    }
}

// Returns nothing for a checkpoint that a run has removed meanwhile.
std::optional<Verdict> verdict_of_ours(const fs::path& checkpoint) {
    Verdict verdict{checkpoint, std::nullopt};
    try {
        verdict.damage = damage_of(checkpoint, NeededFiles::all);
        if (!verdict.damage) verdict.has_checksums = has_checksums(training_weights(checkpoint));
    } catch (const Error& error) {
        verdict = {checkpoint, error.what(), false};
    }
    std::error_code ignored;
    return fs::exists(fs::symlink_status(checkpoint, ignored)) ? std::optional(verdict) : std::nullopt;
}

}  // namespace

std::vector<Verdict> verify(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored))
        return {verdict_of(path, [&] {
            const WeightSource source(path);
            source.verify();
            return has_checksums(source);
        })};
    std::vector<Checkpoint> all = run::step_folders(path / "checkpoints");
    if (all.empty()) all = run::step_folders(path);
    std::vector<Verdict> verdicts;
    for (const Checkpoint& checkpoint : all)
        if (auto verdict = verdict_of_ours(checkpoint.path)) verdicts.push_back(std::move(*verdict));
    if (!verdicts.empty()) return verdicts;
    if (fs::is_directory(path / "training", ignored))
        if (auto verdict = verdict_of_ours(path)) return {std::move(*verdict)};
    resolve_checkpoint(path);  // throws an error that says what is missing
    return {verdict_of(path, [&] {
        const Pipeline pipeline = open_pipeline(path);
        pipeline.weights->verify();
        return has_checksums(*pipeline.weights);
    })};
}

}  // namespace ddpm
