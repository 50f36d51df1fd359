#include "train/picture_observer.h"

#include <array>

#include <sys/stat.h>

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

// Which file lies at a path, and when it was written; all 0 if there is none. Two files of one instant differ by their number.
std::array<int64_t, 3> state_of_file(const fs::path& file) {
    struct stat state {};
    if (::stat(file.c_str(), &state) != 0) return {};
    return {static_cast<int64_t>(state.st_ino), static_cast<int64_t>(state.st_mtime), static_cast<int64_t>(state.st_size)};
}

}  // namespace

fs::path PictureObserver::samples_file(int64_t step) const { return run_ / "samples" / fmt::format("step-{:06d}.png", step); }

// An earlier session may have left a picture of the step, which the new one replaces.
void PictureObserver::on(const events::SamplesDue& event) {
    drawn_.reset();
    continue_without("this picture", [&] {
        const fs::path file = samples_file(event.step);
        make_folders(file.parent_path());
        const auto before = state_of_file(file);
        draw_(*event.ema, file, event.stop);
        if (state_of_file(file) != before) drawn_ = file;
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
