#include "cli/neighbours_search.h"

#include <memory>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/preview.h"
#include "cli/signals.h"
#include "ddpm/core/clock.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/copy_search.h"
#include "ddpm/eval/features.h"
#include "ddpm/image/codec.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kFewHeldOut = 99;  // from here on the threshold is the 1 % quantile

// Draws or reads the samples as the bytes that a PNG would have, [N, C, H, W].
at::Tensor bytes_of_samples(const JudgedSamples& samples, const PictureFormat& format, int64_t batch) {
    const at::Tensor pixels = features_of_samples(*make_features("pixel", format), samples, batch);  // bytes/255
    return (pixels * 255).round().to(at::kByte).view({samples.count, format.channels, format.height, format.width});
}

// Says what stands beside the samples, and what that can't show.
void describe_beside(const NeighbourData& data, int64_t count) {
    spdlog::info("training pictures: {}", one_line(data.training->describe()));
    if (data.held_out)
        spdlog::info("held out: {}", one_line(data.held_out_source));
    else
        spdlog::warn(
            "nothing is held out, so whether samples are nearer to training than new pictures are can't be judged; {} stand in, each "
            "beside the others (--held-out-data FOLDER or dataset.holdout give better)",
            plural(count, "training picture"));
    if (count < kFewHeldOut)
        spdlog::warn(
            "{} are few to say how near new pictures lie: samples nearer than the nearest of them are flagged, {:.2g} % of new "
            "ones too; from {} on it is 1 %",
            plural(count, data.held_out ? "held-out picture" : "picture"), 100.0 / static_cast<double>(count + 1), kFewHeldOut);
}

}  // namespace

void search_neighbours(const JudgedSamples& samples, const NeighbourData& data, const Features* features, int64_t batch,
                       const std::function<void(const NeighboursFound& found, double seconds)>& show) {
    const PictureFormat format{data.training->channels(), data.training->height(), data.training->width()};
    NeighbourReader reader(data);
    NumberedPictures beside = reader.beside();
    if (beside.pixels.size(0) == 0) user_error("the held-out pictures: none can be read: " + one_line(reader.reason()));
    describe_beside(data, beside.pixels.size(0));
    CopySets sets;
    sets.held_out = beside.pixels.permute({0, 3, 1, 2});
    if (!data.held_out) sets.own = beside.numbers;
    sets.training = data.training->size();
    sets.read = [&reader](int64_t first, int64_t n) { return reader.training(first, n); };
    const double begin = steady_seconds();
    sets.samples = bytes_of_samples(samples, format, batch);
    const double seconds = steady_seconds() - begin;

    Progress progress("comparing with training pictures, twice", 2 * sets.training, "pictures");
    const CopySearch search = search_copies(sets, features, {.mirrored = data.mirrored, .batch = batch}, [&](int64_t done) {
        progress.update(done);
        throw_if_stopped();
    });
    progress.finish();
    if (const int64_t unread = sets.training - search.training; unread > 0)
        spdlog::warn("left out {} that can't be read: {}", plural(unread, "training picture"), one_line(reader.reason()));
    const auto* const numbers = beside.numbers.const_data_ptr<int64_t>();
    show({sets, search, samples, data, {numbers, numbers + beside.numbers.size(0)}, most_suspicious(search)}, seconds);
}

void show_neighbours_of_run(const fs::path& run, const Config& config, const Runtime& runtime, const Kernels& kernels) {
    const fs::path sheet = run / kNeighboursSheet;
    try {
        EvalFlags flags;
        flags.ckpt = run.string();
        flags.seed = config.seed;
        const Model model = Model::open(run, {flags.weights, runtime.device, &kernels});
        const JudgedSamples samples =
            samples_of_model(flags, preview_sampling(config), config.eval.n, model, config.train.precision);
        const NeighbourData data = open_neighbour_data({config.dataset, config.seed}, "", kNeighboursHeldOut, runtime.threads);
        spdlog::info("looking for copies: {}", samples.description);
        search_neighbours(samples, data, nullptr, config.train.batch_size, [&](const NeighboursFound& found, double) {
            write_png(sheet, neighbours_sheet(found), software_text());
            spdlog::info("{}; {} shows the most suspicious", copying_verdict(found.search), sheet.string());
        });
    } catch (const Error& error) {
        spdlog::warn("{}: not written: {}", sheet.string(), error.what());
    }
}

}  // namespace ddpm::cli
