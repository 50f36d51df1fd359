#include "cli/judged_samples.h"

#include <algorithm>
#include <limits>
#include <memory>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/config.h"
#include "cli/flag_names.h"
#include "cli/signals.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/npz_pictures.h"
#include "ddpm/image/codec.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

PictureFormat format_of_samples(const std::string& samples) {
    if (is_file(samples)) return naming_flag("--samples", [&] { return open_npz_pictures(samples, 1).format; });
    for (const fs::path& file : entries_of(samples)) {
        if (!is_file(file)) continue;
        try {
            const ImageHeader header = probe_image(file);
            return {header.channels <= 2 ? 1 : 3, header.height, header.width};
        } catch (const Error&) {
        }
    }
    user_error(fmt::format("--samples: {}: no picture lies directly in it, so that the size to compare at is not known", samples),
               "--data CONFIG says it");
}

JudgedSamples samples_of_folder(const std::string& folder, const std::optional<int64_t>& count, const DatasetOptions& format,
                                int threads) {
    DatasetOptions options = format;
    options.type = "image_folder";
    options.path = folder;
    options.split = DatasetOptions{}.split;  // a folder has no parts
    options.random_flip = false;
    options.holdout = 0;
    std::shared_ptr<const Dataset> pictures = open_dataset(options, 0, threads);
    if (const std::string notes = pictures->notes(); !notes.empty()) spdlog::info(notes);
    const int64_t n = std::min(count.value_or(pictures->size()), pictures->size());
    if (count && *count > n) user_error(fmt::format("--n: got {}, but {} has {}", *count, folder, plural(n, "picture")));
    std::vector<int64_t> places = spread(pictures->size(), n);
    const ImageSource source = dataset_source_at(pictures, places, 0);
    const auto read = [source](int64_t first, int64_t size, const auto&) {
        return source.read(first, size).pixels.permute({0, 3, 1, 2});
    };
    const auto name = [pictures, places](int64_t i) { return pictures->name(places[static_cast<size_t>(i)]); };
    return {n, Json{{"folder", folder}}, 1, fmt::format("{} in {}", plural(n, "picture"), one_line(folder)), read, name};
}

JudgedSamples samples_of_npz(const std::string& file, const std::optional<int64_t>& count, const PictureFormat& format) {
    const NpzPictures pictures =
        naming_flag("--samples", [&] { return open_npz_pictures(file, count.value_or(std::numeric_limits<int64_t>::max())); });
    const PictureFormat& own = pictures.format;
    if (count && *count > pictures.total)
        user_error(fmt::format("--n: got {}, but {} has {}", *count, file, plural(pictures.total, "picture")));
    if (own.channels != format.channels || own.height != format.height || own.width != format.width)
        user_error(fmt::format("--samples: {}: pictures of {}x{} with {} channels, but the reference's have {}x{} with {}", file,
                               own.width, own.height, own.channels, format.width, format.height, format.channels));
    const auto read = [source = pictures.source](int64_t first, int64_t n, const auto&) {
        return source.read(first, n).pixels.permute({0, 3, 1, 2});
    };
    const int64_t n = pictures.source.count;
    const auto name = [](int64_t i) { return fmt::format("picture {}", i); };
    return {n, Json{{"file", file}}, 1, fmt::format("{} in {}", plural(n, "picture"), one_line(file)), read, name};
}

}  // namespace

void check_samples(const std::string& samples) {
    if (!is_folder(samples) && !is_file(samples))
        user_error(fmt::format("--samples: {}: is no folder, expected one with pictures, or an .npz file of them", samples));
}

NamedData data_of_samples(const EvalFlags& flags, const std::string& samples, const PictureFormat& known) {
    if (!flags.data.empty() && !is_folder(flags.data)) {
        const Config config = load_config(flags.data, flags.assignments);
        NamedData named{config.dataset, config.seed};
        if (!flags.split.empty()) named.options.split = flags.split;
        return named;
    }
    const PictureFormat format = known.height > 0 ? known : format_of_samples(samples);
    DatasetOptions options;
    options.type = "image_folder";
    options.path = flags.data;
    options.width = format.width;
    options.height = format.height;
    options.channels = format.channels;
    return {options, 0};
}

JudgedSamples read_samples(const std::string& samples, const std::optional<int64_t>& count, const DatasetOptions& format,
                           int threads) {
    return is_file(samples) ? samples_of_npz(samples, count, {format.channels, format.height, format.width})
                            : samples_of_folder(samples, count, format, threads);
}

std::string words_of_sampling(const ResolvedSampling& settings) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : keys_in_force(settings)) keys.push_back(key + " " + value);
    return fmt::format("{} in {}{}", settings.sampler, plural(settings.steps(), "step"),
                       keys.empty() ? "" : " (" + join(keys) + ")");
}

JudgedSamples samples_of_model(const EvalFlags& flags, const SampleOptions& sampling, int64_t count, const Model& model,
                               const std::string& precision) {
    const auto session = std::make_shared<Session>(
        model, SessionOptions{.sample = sampling, .seed = static_cast<uint64_t>(flags.seed), .precision = precision});
    const ResolvedSampling& settings = session->settings();
    Json what = {{"ckpt", model.source},      {"weights", flags.weights},      {"sampler", settings.sampler},
                 {"steps", settings.steps()}, {"nfe", settings.evaluations()}, {"seed", flags.seed},
                 {"precision", precision}};
    if (flags.ema_width) what["ema_width"] = *flags.ema_width;
    if (model.ema_step) what["ema_step"] = *model.ema_step;
    if (settings.guidance.on()) what["guidance"] = settings.guidance.scale;
    const auto read = [session, source = model.source](int64_t first, int64_t n, const auto& so_far) {
        const ResolvedSampling& way = session->settings();
        const at::Tensor pictures = session->sample(first, n, [&](const SamplingStep& step) {
            so_far(way.evaluations() - way.evaluations(step.i + 1));
            throw_if_stopped();
        });
        if (!at::isfinite(pictures).all().item<bool>())
            runtime_failure(source + ": the network's answers are not finite: its weights are damaged, or the training diverged");
        return pictures;
    };
    for (const auto& [key, value] : keys_in_force(settings)) what["settings"][key] = value;
    std::string description = fmt::format("{} of {} by {}", plural(count, "sample"), model.source, words_of_sampling(settings));
    const auto name = [](int64_t i) { return fmt::format("sample {}", i); };
    return {count, std::move(what), settings.evaluations(), std::move(description), read, name};
}

at::Tensor features_of_samples(const Features& features, const JudgedSamples& samples, int64_t batch) {
    const int64_t cost = samples.evaluations;
    Progress progress("sampling", samples.count * cost, "evaluations");
    const auto read = [&](int64_t first, int64_t n) {
        throw_if_stopped();
        return samples.read(first, n, [&](int64_t each) { progress.update(first * cost + n * each); });
    };
    at::Tensor raw = raw_features(features, samples.count, batch, read, [&](int64_t done) { progress.update(done * cost); });
    progress.finish();
    return raw;
}

}  // namespace ddpm::cli
