#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/config.h"
#include "cli/defaults.h"
#include "cli/eval_flags.h"
#include "cli/evaluations.h"
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/clock.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/sha256.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/quality.h"
#include "ddpm/image/codec.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kSamples = 500;    // of a model, unless --n says how many
constexpr int64_t kFewPictures = 4;  // for each number that is fitted to the reference
constexpr const char* kFormat = "ddpm eval quality";
constexpr const char* kTrust =
    "these numbers compare models, checkpoints and samplers on one data set; they are not comparable across data sets or with a "
    "published FID";

struct QualityFlags : EvalFlags {
    std::string samples, features = kDefaultFeatures, metrics = kDefaultMetrics, json;
    std::optional<int64_t> count;  // --n
    int64_t real = 2000;
    SamplingFlags sampling;
};

// The samples that are judged: of a model, or of a folder.
struct Samples {
    int64_t count = 0;
    Json what;         // of the JSON: where they come from
    int64_t cost = 1;  // evaluations of the network for one
    std::string description;
    // Returns samples first … first + n − 1, [n,C,H,W], float in [−1, 1] or uint8, and says how many evaluations each has had so far.
    std::function<at::Tensor(int64_t first, int64_t n, const std::function<void(int64_t evaluations)>& so_far)> read;
};

// Real pictures: the reference, and as many as there are samples that it does not hold.
struct Real {
    at::Tensor reference, floor;  // raw features; `floor` is undefined without enough pictures
    std::string sha256;           // of the reference's bytes
    std::string no_floor;         // why there is no floor
};

bool is_own_json(const fs::path& file) {
    try {
        const Json json = read_json_file(file, uint64_t{16} << 20);
        return json.is_object() && json.value("format", "") == kFormat;
    } catch (const Error&) {
        return false;
    }
}

std::vector<QualityMetric> read_metrics(const std::string& metrics) {
    std::vector<QualityMetric> rows;
    for (const std::string& name : split(metrics, ',')) {
        rows.push_back(quality_metric(name, "--metrics"));
        for (size_t i = 0; i + 1 < rows.size(); ++i)
            if (rows[i].name == name) user_error(fmt::format("--metrics: {} is there twice", quote(name)));
    }
    return rows;
}

void check(const QualityFlags& flags) {
    if (flags.ckpt.empty() == flags.samples.empty())
        user_error("eval quality: of what? give either --ckpt FOLDER or --samples FOLDER",
                   "for example: ddpm eval quality --ckpt runs/shapes");
    flags.check_names();
    read_metrics(flags.metrics);
    std::vector<std::string> names;
    for (const FeatureKind& kind : feature_kinds()) names.push_back(kind.name);
    read_choice(flags.features, "--features", names);
    flags.sampling.options();
    if (!flags.data.empty()) expect_data_source(flags.data);
    if (!flags.split.empty()) read_choice(flags.split, "--split", {"train", "test"});
    if (!flags.samples.empty() && flags.data.empty())
        user_error("--samples: is judged beside real pictures; give --data CONFIG or --data FOLDER too");
    if (!flags.samples.empty() && !is_folder(flags.samples))
        user_error(fmt::format("--samples: {}: is no folder, expected one with pictures", flags.samples));
    if (flags.json.empty()) return;
    check_place("--json", flags.json, ResultKind::json);
    if (is_present(flags.json) && !is_own_json(flags.json))
        user_error(fmt::format("--json: {}: exists, and is no result of `ddpm eval quality`; choose another name", flags.json));
}

// Real pictures in the format of the samples, of --data or of the model's own training.
ImageSource open_real(const QualityFlags& flags, const Model* model, const DatasetOptions& format, int64_t samples, int threads) {
    EvalFlags real = flags;
    real.n = flags.real + samples;
    if (model != nullptr) return real.open_unlabelled(*model, threads);
    return dataset_source(std::shared_ptr<const Dataset>(open_dataset(format, 0, threads)), real.n,
                          static_cast<uint64_t>(flags.seed));
}

// Returns how --data and --samples are read without a model: as the configuration says, or at the size of the first sample.
DatasetOptions format_without_model(const QualityFlags& flags) {
    if (!is_folder(flags.data)) {
        DatasetOptions options = load_config(flags.data, {}).dataset;
        if (!flags.split.empty()) options.split = flags.split;
        return options;
    }
    DatasetOptions options;
    options.type = "image_folder";
    options.path = flags.data;
    for (const fs::path& file : entries_of(flags.samples)) {
        if (!is_file(file)) continue;
        try {
            const ImageHeader header = probe_image(file);
            options.width = header.width;
            options.height = header.height;
            options.channels = header.channels <= 2 ? 1 : 3;
            return options;
        } catch (const Error&) {
        }
    }
    user_error(
        fmt::format("--samples: {}: no picture lies directly in it, so that the size to compare at is not known", flags.samples),
        "--data CONFIG says it");
}

Samples samples_of_folder(const QualityFlags& flags, const DatasetOptions& format, int threads) {
    DatasetOptions options = format;
    options.type = "image_folder";
    options.path = flags.samples;
    options.random_flip = false;
    options.holdout = 0;
    std::shared_ptr<const Dataset> pictures = open_dataset(options, 0, threads);
    if (const std::string notes = pictures->notes(); !notes.empty()) spdlog::info(notes);
    const int64_t count = std::min(flags.count.value_or(pictures->size()), pictures->size());
    if (flags.count && *flags.count > count)
        user_error(fmt::format("--n: got {}, but {} has {}", *flags.count, flags.samples, plural(count, "picture")));
    const ImageSource source = dataset_source(pictures, count, 0);
    const auto read = [source](int64_t first, int64_t n, const auto&) {
        return source.read(first, n).pixels.permute({0, 3, 1, 2});
    };
    return {count, Json{{"folder", flags.samples}}, 1, fmt::format("{} in {}", plural(count, "picture"), one_line(flags.samples)),
            read};
}

Samples samples_of_model(const QualityFlags& flags, const Model& model, const std::string& precision) {
    const auto session = std::make_shared<Session>(
        model,
        SessionOptions{.sample = flags.sampling.options(), .seed = static_cast<uint64_t>(flags.seed), .precision = precision});
    const ResolvedSampling& settings = session->settings();
    Json what = {{"ckpt", model.source},      {"weights", flags.weights},      {"sampler", settings.sampler},
                 {"steps", settings.steps()}, {"nfe", settings.evaluations()}, {"seed", flags.seed},
                 {"precision", precision}};
    if (flags.ema_width) what["ema_width"] = *flags.ema_width;
    if (model.ema_step) what["ema_step"] = *model.ema_step;
    if (settings.guidance.on()) what["guidance"] = settings.guidance.scale;
    const int64_t count = flags.count.value_or(kSamples);
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
    std::string description = fmt::format("{} of {} by {} in {}", plural(count, "sample"), model.source, settings.sampler,
                                          plural(settings.steps(), "step"));
    return {count, std::move(what), settings.evaluations(), std::move(description), read};
}

// Raw features of all pictures, [N, D_raw].
at::Tensor raw_features(const Features& features, int64_t count, int64_t batch,
                        const std::function<at::Tensor(int64_t first, int64_t n)>& read,
                        const std::function<void(int64_t done)>& after_batch) {
    std::vector<at::Tensor> parts;
    for (int64_t first = 0; first < count; first += batch) {
        throw_if_stopped();
        const int64_t n = std::min(batch, count - first);
        parts.push_back(features.raw(read(first, n)));
        after_batch(first + n);
    }
    return at::cat(parts);
}

// Takes features of the real pictures. With twice the samples or more, as many as there are samples are kept apart for the floor,
// spread evenly.
Real measure_real(const Features& features, const ImageSource& pictures, int64_t samples, int64_t batch) {
    Progress progress("reading real pictures", pictures.count, "pictures");
    const bool has_floor = pictures.count >= 2 * samples;
    const auto apart = [&](int64_t i) { return has_floor && (i + 1) * samples / pictures.count > i * samples / pictures.count; };
    Real real;
    Sha256 hash;
    const auto read = [&](int64_t first, int64_t n) {
        const at::Tensor pixels = pictures.read(first, n).pixels;
        for (int64_t i = 0; i < n; ++i)
            if (!apart(first + i))
                hash.add(
                    {reinterpret_cast<const char*>(pixels[i].const_data_ptr<uint8_t>()), static_cast<size_t>(pixels[i].numel())});
        return pixels.permute({0, 3, 1, 2});
    };
    const at::Tensor raw = raw_features(features, pictures.count, batch, read, [&](int64_t done) { progress.update(done); });
    progress.finish();
    std::vector<int64_t> of_reference, of_floor;
    for (int64_t i = 0; i < pictures.count; ++i) (apart(i) ? of_floor : of_reference).push_back(i);
    real.reference = raw.index_select(0, at::tensor(of_reference, at::kLong));
    if (has_floor)
        real.floor = raw.index_select(0, at::tensor(of_floor, at::kLong));
    else
        real.no_floor = fmt::format("there are {}, fewer than twice the samples", plural(pictures.count, "real picture"));
    real.sha256 = hash.finish();
    return real;
}

void print(const std::vector<QualityNumber>& numbers) {
    std::printf("%-10s %12s %12s %12s %12s\n", "", "value", "+/- 2 sd", "floor", "+/- 2 sd");
    for (const QualityNumber& number : numbers)
        std::printf("%-10s %12.5g %12.2g %12s %12s\n", number.name.c_str(), number.value, 2 * number.sd,
                    number.floor ? fmt::format("{:.5g}", *number.floor).c_str() : "-",
                    number.floor ? fmt::format("{:.2g}", 2 * number.floor_sd).c_str() : "-");
}

Json as_json(const std::vector<QualityNumber>& numbers, const FeatureProtocol& protocol, const Samples& samples, const Real& real,
             const std::string& source, double seconds) {
    Json of = protocol.json();
    of["n_real"] = real.reference.size(0);
    of["n_fake"] = samples.count;
    of["n_floor"] = real.floor.defined() ? real.floor.size(0) : 0;
    if (!real.no_floor.empty()) of["no_floor"] = real.no_floor;
    of["reference"] = {{"source", source}, {"sha256_of_pixels", real.sha256}};
    Json json = {{"format", kFormat}, {"schema", 1}, {"protocol", std::move(of)}, {"samples", samples.what}};
    json["samples"]["seconds"] = seconds;
    json["results"] = Json::array();
    for (const QualityNumber& number : numbers)
        json["results"].push_back({{"name", number.name},
                                   {"value", number.value},
                                   {"sd", number.sd},
                                   {"floor", number.floor ? Json(*number.floor) : Json()},
                                   {"floor_sd", number.floor ? Json(number.floor_sd) : Json()}});
    return json;
}

std::vector<QualityNumber> measure(const QualityFlags& flags, const Features& features, const Real& real, const at::Tensor& raw) {
    const FeatureTransform transform = features.fit(real.reference);
    if (!transform.empty() && real.reference.size(0) < kFewPictures * features.protocol().dimension)
        spdlog::warn(
            "the {} of the reference are few for what {} fits to them: other pictures, real ones too, lie far from it; give "
            "--real {} or more",
            plural(real.reference.size(0), "picture"), features.protocol().features, kFewPictures * features.protocol().dimension);
    const auto transformed = [&](const at::Tensor& of) { return of.defined() ? features.transformed(of, transform) : of; };
    const at::Tensor reference = transformed(real.reference), floor = transformed(real.floor), judged = transformed(raw);
    std::vector<QualityNumber> numbers;
    for (const QualityMetric& metric : read_metrics(flags.metrics)) {
        throw_if_stopped();
        for (QualityNumber& number : metric.measure(reference, judged, floor)) numbers.push_back(std::move(number));
    }
    return numbers;
}

// Judges samples in the format of `format`.
int judge(const QualityFlags& flags, const Samples& samples, const ImageSource& pictures, const PictureFormat& format,
          c10::Device device) {
    if (samples.count < kFewestSamples)
        user_error(fmt::format("--n: got {}, expected {} or more: an interval is measured by leaving out tenths", samples.count,
                               kFewestSamples));
    const std::unique_ptr<Features> features = make_features(flags.features, format, device);
    spdlog::info("{}, beside {}", samples.description, one_line(pictures.description));
    spdlog::info("features {}", features->protocol().line());
    catch_stop_signals();
    const Real real = measure_real(*features, pictures, samples.count, flags.batch);
    if (!real.no_floor.empty()) spdlog::warn("no floor: {}", real.no_floor);
    const double begin = steady_seconds();
    Progress progress("sampling", samples.count * samples.cost, "evaluations");
    const auto read = [&](int64_t first, int64_t n) {
        return samples.read(first, n, [&](int64_t each) { progress.update(first * samples.cost + n * each); });
    };
    const at::Tensor raw =
        raw_features(*features, samples.count, flags.batch, read, [&](int64_t done) { progress.update(done * samples.cost); });
    progress.finish();
    const double seconds = steady_seconds() - begin;
    const std::vector<QualityNumber> numbers = measure(flags, *features, real, raw);
    std::printf("%lld samples beside %lld real pictures\n", static_cast<long long>(samples.count),
                static_cast<long long>(real.reference.size(0)));
    print(numbers);
    std::printf("%s\n", verdict_of(numbers.front()).c_str());
    spdlog::info(kTrust);
    if (flags.json.empty()) return 0;
    write_file(flags.json, dump_json(as_json(numbers, features->protocol(), samples, real, pictures.description, seconds)) + "\n");
    spdlog::info("wrote {}", flags.json);
    return 0;
}

int run_quality(const QualityFlags& flags) {
    check(flags);
    const Kernels& kernels = flags.chosen_kernels();
    const Runtime runtime = flags.start();
    if (!flags.samples.empty()) {
        const DatasetOptions format = format_without_model(flags);
        const Samples samples = samples_of_folder(flags, format, runtime.threads);
        return judge(flags, samples, open_real(flags, nullptr, format, samples.count, runtime.threads),
                     {format.channels, format.height, format.width}, runtime.device);
    }
    const Model model = naming_flags({{"ema_width", "--ema-width"}, {"ema_step", "--step"}}, [&] {
        return Model::open(flags.ckpt, {flags.weights, runtime.device, &kernels, flags.ema_width, flags.ema_step});
    });
    flags.sampling.settle(model);
    const Samples samples = samples_of_model(flags, model, settle_precision(flags.precision, kernels, runtime.device.is_cpu()));
    return judge(flags, samples, open_real(flags, &model, {}, samples.count, runtime.threads),
                 {model.channels(), model.height, model.width}, runtime.device);
}

}  // namespace

std::function<int()> add_eval_quality(CLI::App& command) {
    auto flags = std::make_shared<QualityFlags>();
    std::vector<std::string> metrics, features;
    for (const QualityMetric& metric : quality_metrics()) metrics.push_back(metric.name + " (" + metric.summary + ")");
    for (const FeatureKind& kind : feature_kinds()) features.push_back(kind.name + " (" + kind.summary + ")");
    command.add_option("--ckpt", flags->ckpt, "draw from this run, checkpoint or pipeline folder of diffusers");
    command.add_option("--samples", flags->samples, "judge the pictures of this folder instead");
    command.add_option("--data", flags->data,
                       "real pictures: a configuration (JSON) or a folder (default: what the checkpoint was trained on)");
    command.add_option("--split", flags->split, "of cifar10 or mnist: train or test (default: as the data set is configured)");
    command.add_option("--n", flags->count, fmt::format("samples (default: {} of a model, all pictures of a folder)", kSamples))
        ->check(integer_in(kFewestSamples, 1000000));
    add_with_default(command, "--real", flags->real,
                     "real pictures of the reference; as many as samples are kept apart for the floor")
        ->check(integer_in(kFewestSamples, 1000000));
    add_with_default(command, "--features", flags->features, "what is compared: " + join(features));
    add_with_default(command, "--metrics", flags->metrics, "between commas, the first one decides: " + join(metrics));
    command.add_option("--json", flags->json, "write numbers, protocol and what was sampled to this file");
    add_with_default(command, "--seed", flags->seed, "sample i follows from (seed, i)")->check(integer_in(0));
    add_with_default(command, "--batch", flags->batch, "pictures at a time")->check(integer_in(1, 100000));
    flags->sampling.add(command);
    flags->add_weights(command);
    flags->add_ema_step(command);
    flags->add_precision(command);
    flags->add_machine(command);
    return [flags] { return run_quality(*flags); };
}

}  // namespace ddpm::cli
