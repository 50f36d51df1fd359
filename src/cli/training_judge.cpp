#include "cli/training_judge.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/flag_names.h"
#include "cli/judged_samples.h"
#include "cli/preview.h"
#include "cli/signals.h"
#include "ddpm/core/error.h"
#include "ddpm/core/random.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/memorisation.h"
#include "ddpm/eval/source.h"
#include "ddpm/pipeline/session.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 24;  // of the training pictures that copies are looked for in: 64 MiB
constexpr int64_t kMostHeldOut = 1000;              // pictures that say how near to training ones a picture is by chance
constexpr int64_t kFewestHeldOut = 20;

// Pictures of a data set that outlives them, chosen by spread().
ImageSource parts_of(const Dataset& dataset, int64_t count, uint64_t seed) {
    return dataset_source_at({std::shared_ptr<const void>(), &dataset}, spread(dataset.size(), count), seed);
}

// Pictures of a source as Features::raw takes them.
std::function<at::Tensor(int64_t, int64_t)> pixels_of(const ImageSource& source) {
    return [source](int64_t first, int64_t n) { return source.read(first, n).pixels.permute({0, 3, 1, 2}); };
}

// All pictures as they are, [N, H, W, C] uint8, and with `mirrored` their mirror images too.
at::Tensor pictures_of(const Dataset& dataset, int64_t count, bool mirrored, const std::function<void()>& stop) {
    const at::Tensor bytes = at::empty({count, dataset.height(), dataset.width(), dataset.channels()}, at::kByte);
    const std::vector<int64_t> places = spread(dataset.size(), count);
    for (int64_t i = 0; i < count; ++i) {
        dataset.read_as_it_is(places[static_cast<size_t>(i)], bytes[i].mutable_data_ptr<uint8_t>());
        if (i % 256 == 0) stop();
    }
    return mirrored ? at::cat({bytes, bytes.flip(2)}) : bytes;
}

}  // namespace

TrainingJudge::TrainingJudge(const Config& config, const TrainingData& data, c10::Device device)
    : config_(config),
      data_(data),
      metrics_(read_quality_metrics(config.eval.metrics)),
      format_{config.dataset.channels, config.dataset.height, config.dataset.width},
      device_(device) {
    if (const int64_t pictures = data.training().size(); pictures < kFewestSamples)
        key_error("eval.every", fmt::format("samples are judged beside {} or more pictures, and there {} {} to train on",
                                            kFewestSamples, pictures == 1 ? "is" : "are", pictures));
    features_ = naming_flag("eval.features", [&] { return make_features(config.eval.features, format_, device); });
}

// Held-out pictures that the reference does not hold are those of the floor, if there are as many as samples.
RealFeatures TrainingJudge::measure_reference(const std::function<void()>& stop) const {
    const int64_t n = config_.eval.n, batch = config_.train.batch_size;
    const auto seed = static_cast<uint64_t>(config_.seed);
    const Dataset* held_out = data_.split.held_out.get();
    const bool has_floor = held_out != nullptr && held_out->size() >= n;
    const ImageSource pictures = parts_of(data_.training(), has_floor ? config_.eval.reference : config_.eval.reference + n, seed);
    spdlog::info("judging: {} of {} by {}", plural(n, "sample"), one_line(pictures.description), features_->protocol().line());
    const auto after_batch = [&](int64_t) { stop(); };
    // No picture is kept apart for a floor of more samples than half of the pictures.
    RealFeatures real = measure_real(*features_, pictures, has_floor ? pictures.count : n, batch, after_batch);
    if (has_floor) {
        real.floor = raw_features(*features_, n, batch, pixels_of(parts_of(*held_out, n, seed)), after_batch);
        real.no_floor.clear();
        real.inner_floor = 0;
    }
    if (const std::string words = real.floor_words(); !words.empty()) spdlog::warn("judging: {}", words);
    return real;
}

std::optional<TrainingJudge::Originals> TrainingJudge::read_originals(const std::function<void()>& stop) const {
    const Dataset& training = data_.training();
    const Dataset* held_out = data_.split.held_out.get();
    const int64_t size = format_.channels * format_.height * format_.width;
    const int64_t rows = training.size() * (config_.dataset.random_flip ? 2 : 1);
    if (held_out == nullptr || held_out->size() < kFewestHeldOut || training.size() >= kFewPictures || training.size() < 2 ||
        rows * size > kMostNumbers)
        return std::nullopt;
    Originals originals{make_features("pixel", format_, at::kCPU), {}, {}};
    const auto raw = [&](const at::Tensor& bytes) { return originals.pixels->raw(bytes.permute({0, 3, 1, 2})); };
    originals.train = raw(pictures_of(training, training.size(), config_.dataset.random_flip, stop));
    const at::Tensor others = raw(pictures_of(*held_out, std::min(held_out->size(), kMostHeldOut), false, stop));
    stop();
    originals.held_out = nearness_ratios(others, originals.train);
    return originals;
}

std::optional<events::Judgement> TrainingJudge::operator()(UNet2D& ema, int64_t step, const std::function<bool()>& stop) {
    const auto check = [&] {
        if (stop()) throw Stopped{};
    };
    try {
        check();
        return judge(ema, step, check);
    } catch (const Stopped&) {  // the run looks for a stop itself
        return std::nullopt;
    }
}

events::Judgement TrainingJudge::judge(UNet2D& ema, int64_t step, const std::function<void()>& stop) {
    if (!judge_) {
        if (!features_) features_ = make_features(config_.eval.features, format_, device_);  // an earlier attempt has failed
        originals_ = read_originals(stop);
        RealFeatures real = measure_reference(stop);
        judge_ = std::make_unique<Judge>(std::move(features_), std::move(real));
        if (const std::string warning = judge_->warning(); !warning.empty()) spdlog::warn("eval.reference: {}", warning);
    }
    const int64_t n = config_.eval.n;
    Session session =
        preview_session(ema, config_, data_.whole->class_names(),
                        RandomStream(static_cast<uint64_t>(config_.seed), Purpose::judging, static_cast<uint64_t>(step)).seed());
    std::vector<at::Tensor> ratios;
    const auto draw = [&](int64_t first, int64_t count) {
        const at::Tensor samples = session.sample(first, count, [&](const SamplingStep&) { stop(); });
        if (originals_) ratios.push_back(nearness_ratios(originals_->pixels->raw(samples), originals_->train));
        return samples;
    };
    const at::Tensor raw = raw_features(judge_->features(), n, config_.train.batch_size, draw, [&](int64_t) { stop(); });
    events::Judgement judgement;
    judgement.samples = n;
    const FeatureProtocol& protocol = judge_->features().protocol();
    judgement.protocol = fmt::format("{} {}, {} samples, {}, {} real pictures", protocol.features, protocol.sha256.substr(0, 12), n,
                                     words_of_sampling(session.settings()), judge_->real().reference.size(0));
    for (const QualityNumber& number : judge_->measure(raw, metrics_, stop))
        judgement.numbers.push_back({number.name, number.value, number.sd, number.floor});
    if (originals_) {
        const CopiesFound copies = find_copies(at::cat(ratios), originals_->held_out);
        judgement.copies = events::CopiesAmongSamples{copies.rows.size(0), n, copies.expected, copies.p_value};
    }
    return judgement;
}

}  // namespace ddpm::cli
