#include "train/tensorboard_observer.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/clock.h"
#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "ddpm/run/event_files.h"
#include "train/continue_without.h"

namespace ddpm::train {

namespace {

constexpr uint64_t kMaxPictureBytes = uint64_t{1} << 30;

void add_held_out(std::vector<EventScalar>& scalars, const std::string& network, const events::HeldOutLoss& loss) {
    scalars.push_back({"validation/" + network, loss.mean});
    for (size_t bin = 0; bin < loss.by_bin.size(); ++bin)
        scalars.push_back({fmt::format("validation_by_t/{}_{}", network, bin), loss.by_bin[bin]});
}

}  // namespace

void TensorboardObserver::on(const events::AttemptBegun& event) {
    if (!file_) {
        if (!event.goes_on) remove_event_files(run_);
        const fs::path file = new_event_file(run_, unix_seconds());
        make_folders(file.parent_path());
        file_.emplace(file);
    }
    file_->append(restart_event(unix_seconds(), event.step + 1));
}

void TensorboardObserver::on(const events::StepDone& event) {
    std::vector<EventScalar> scalars{{"train/loss", event.loss},
                                     {"train/grad_norm", event.grad_norm},
                                     {"train/lr", event.learning_rate},
                                     {"train/images_per_second", event.images_per_second}};
    if (event.skipped) scalars.push_back({"train/skipped", 1});
    if (event.spike) scalars.push_back({"train/spike", *event.spike});
    file_->append(scalars_event(unix_seconds(), event.step, scalars));
}

void TensorboardObserver::on(const events::Validated& event) {
    std::vector<EventScalar> scalars;
    add_held_out(scalars, "raw", event.raw);
    add_held_out(scalars, "ema", event.ema);
    file_->append(scalars_event(unix_seconds(), event.step, scalars));
}

void TensorboardObserver::on(const events::QualityMeasured& event) {
    std::vector<EventScalar> scalars;
    for (const events::QualityOfSamples& number : event.judgement.numbers) {
        scalars.push_back({"quality/" + number.name, number.value});
        scalars.push_back({"quality/" + number.name + "_sd", number.sd});
        if (number.floor) scalars.push_back({"quality/" + number.name + "_floor", *number.floor});
    }
    if (const auto& copies = event.judgement.copies)
        scalars.push_back({"quality/copies", static_cast<double>(copies->flagged) / static_cast<double>(copies->samples)});
    file_->append(scalars_event(unix_seconds(), event.step, scalars));
}

void TensorboardObserver::on(const events::SamplesDrawn& event) {
    continue_without("this picture in tensorboard/", [&] {
        const ImageHeader header = probe_image(event.file);
        const std::string png = read_file(event.file, kMaxPictureBytes);
        file_->append(image_event(unix_seconds(), event.step, {"samples", header.height, header.width, header.channels, png}));
    });
}

void TensorboardObserver::on(const events::CheckpointBegins&) { file_->sync(); }

}  // namespace ddpm::train
