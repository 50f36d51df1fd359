#include "train/picture_observer.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "ddpm/report/loss_curve.h"
#include "ddpm/report/metrics.h"
#include "train/continue_without.h"

namespace ddpm::train {

namespace {

void remove_picture(const fs::path& file) {
    std::error_code ignored;
    fs::remove(file, ignored);
}

}  // namespace

fs::path PictureObserver::samples_file(int64_t step) const { return run_ / "samples" / fmt::format("step-{:06d}.png", step); }

void PictureObserver::on(const events::SamplesDue& event) {
    continue_without("this picture", [&] {
        const fs::path file = samples_file(event.step);
        make_folders(file.parent_path());
        draw_(*event.ema, file, event.stop);
    });
}

void PictureObserver::on(const events::RollingBack& event) {
    for (int64_t step = event.to + 1; step <= event.from; ++step) remove_picture(samples_file(step));
}

void PictureObserver::on(const events::LastStepDone&) { remove_picture(run_ / "loss.png"); }

void PictureObserver::on(const events::Finished&) {
    continue_without("this picture",
                     [&] { write_png(run_ / "loss.png", draw_loss_curve(read_losses(run_ / "metrics.jsonl")), software_text()); });
}

}  // namespace ddpm::train
