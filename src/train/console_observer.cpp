#include "train/console_observer.h"

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include <spdlog/spdlog.h>

#include "ddpm/core/text.h"
#include "ddpm/report/progress.h"

namespace ddpm::train {

void ConsoleObserver::on(const events::Begun& event) {
    spdlog::info("{} parameters, {} images, {} steps of {}", with_commas(event.parameters), with_commas(event.images),
                 with_commas(event.steps), event.batch);
    progress_.emplace("training", event.steps, "steps", event.step);
}

void ConsoleObserver::on(const events::SpikeBegun& event) {
    if (!std::has_single_bit(++spikes_)) return;
    spdlog::warn(
        "step {}: loss {:.4g} stands out from the last {} steps (robust z-score {:.1f}; {} so far, next message "
        "after {})",
        event.step, event.loss, event.window, event.score, spikes_, 2 * spikes_);
}

void ConsoleObserver::on(const events::StepDone& event) {
    if (!event.skipped) loss_.add(event.loss);
    progress_->update(event.step, fmt::format("loss {:.4f}, gradient {:.3f}, {:.0f} images/s", loss_.mean(), event.grad_norm,
                                              event.images_per_second));
}

void ConsoleObserver::on(const events::Skipped& event) {
    if (!std::has_single_bit(static_cast<uint64_t>(event.in_all))) return;
    spdlog::warn("step {}: loss {}, gradient norm {}: skipped ({} in a row, {} in all; next message after {})", event.step,
                 event.loss, event.grad_norm, event.in_a_row, event.in_all, 2 * event.in_all);
}

void ConsoleObserver::on(const events::RolledBack& event) {
    spdlog::warn(
        "step {}: no finite loss and gradient {} times in a row: back to step {}, with other batches and noise and "
        "the learning rate times {:g} ({} of {} rollbacks)",
        event.from, event.patience, event.to, event.learning_rate_factor, event.attempt, event.most);
}

void ConsoleObserver::on(const events::Validated& event) {
    spdlog::info("step {}: loss on {} held-out images {:.4f}, of the EMA weights {:.4f}{}", event.step, event.images,
                 event.raw.mean, event.ema.mean,
                 event.best ? ", the best so far" : fmt::format(" (best: {:.4f})", event.best_loss.value_or(NAN)));
}

void ConsoleObserver::on(const events::QualityMeasured& event) {
    std::vector<std::string> numbers;
    for (const events::QualityOfSamples& number : event.judgement.numbers)
        numbers.push_back(fmt::format("{} {:.4g} +/- {:.2g}{}", number.name, number.value, 2 * number.sd,
                                      number.floor ? fmt::format(" (real pictures {:.4g})", *number.floor) : ""));
    std::string copies;
    if (const auto& found = event.judgement.copies; found && found->flagged > 0)
        copies = fmt::format("; {} of {} like copies of training pictures, {:.2g} expected", found->flagged, found->samples,
                             found->expected * static_cast<double>(found->samples));
    spdlog::info("step {}: {}: {}{}{}; it took {}, judging {:.1f} % of the time so far", event.step,
                 plural(event.judgement.samples, "sample"), join(numbers), event.best ? ", the best so far" : "", copies,
                 format_duration(event.seconds), 100 * event.share_of_time);
}

void ConsoleObserver::on(const events::JudgingSkipped& event) {
    if (!std::has_single_bit(static_cast<uint64_t>(event.so_far))) return;
    spdlog::info(
        "step {}: samples are not judged, which has taken {:.1f} % of the time, more than eval.share ({} so far, next message "
        "after {})",
        event.step, 100 * event.share_of_time, event.so_far, 2 * event.so_far);
}

void ConsoleObserver::on(const events::DoneFound& event) {
    spdlog::warn("step {}: {}{}", event.step, event.words, event.stops ? "; training stops here (--stop-when-done)" : "");
}

void ConsoleObserver::on(const events::CheckpointWritten& event) {
    if (event.asked_for) spdlog::info("step {}: checkpoint written, as asked for", event.step);
}

void ConsoleObserver::on(const events::Finished& event) {
    if (loss_.empty()) return;  // no step was left to do
    progress_->finish(fmt::format("step {} of {}, loss {:.4f}, {}", event.step, event.steps, loss_.mean(),
                                  format_duration(progress_->seconds())));
}

void ConsoleObserver::on(const events::Stopped& event) {
    progress_->finish(fmt::format("step {}: checkpoint written", event.step));
}

}  // namespace ddpm::train
