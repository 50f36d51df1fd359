#include "train/metrics_observer.h"

#include "ddpm/core/clock.h"

namespace ddpm::train {

namespace {

Json json_of(const events::HeldOutLoss& loss) { return {{"loss", loss.mean}, {"by_t", loss.by_bin}}; }

}  // namespace

void MetricsObserver::on(const events::AttemptBegun& event) {
    heartbeat_.reset();
    writer_.emplace(file_, event.goes_on ? std::optional(event.step) : std::nullopt);
    for (size_t i = 0; i < event.rollbacks.size(); ++i)
        if (const events::Rollback& rollback = event.rollbacks[i]; rollback.to == event.step)
            writer_->append(
                {{"step", rollback.to + 1},
                 {"rollback",
                  {{"from", rollback.from}, {"attempt", i + 1}, {"learning_rate_factor", rollback.learning_rate_factor}}}});
    step_ = event.step;
    heartbeat_.emplace(heartbeat_seconds_, [this] {
        writer_->append({{"step", step_.load()}, {"heartbeat", to_decimals(unix_seconds(), 3)}});
    });
}

void MetricsObserver::on(const events::StepDone& event) {
    step_ = event.step;
    heartbeat_->alive();
    Json line = {{"step", event.step},
                 {"loss", event.loss},
                 {"grad_norm", event.grad_norm},
                 {"lr", event.learning_rate},
                 {"images_per_second", to_decimals(event.images_per_second, 2)},
                 {"time", to_decimals(unix_seconds(), 3)}};
    if (event.skipped) line["skipped"] = true;
    if (event.spike) line["spike"] = to_decimals(*event.spike, 2);
    writer_->append(line);
}

void MetricsObserver::on(const events::Validated& event) {
    writer_->append({{"step", event.step}, {"validation", {{"raw", json_of(event.raw)}, {"ema", json_of(event.ema)}}}});
}

// "decides" names the number that chooses the best checkpoint, because the keys of an object have no order.
void MetricsObserver::on(const events::QualityMeasured& event) {
    const events::Judgement& judgement = event.judgement;
    Json numbers = Json::object();
    for (const events::QualityOfSamples& number : judgement.numbers)
        numbers[number.name] = {{"value", number.value}, {"sd", number.sd}, {"floor", number.floor ? Json(*number.floor) : Json()}};
    Json line = {{"step", event.step},           {"quality", std::move(numbers)},  {"decides", judgement.numbers.front().name},
                 {"samples", judgement.samples}, {"protocol", judgement.protocol}, {"seconds", to_decimals(event.seconds, 2)}};
    if (const auto& copies = judgement.copies)
        line["copies"] = {{"flagged", copies->flagged}, {"expected", copies->expected}, {"p_value", copies->p_value}};
    writer_->append(line);
}

void MetricsObserver::on(const events::DoneFound& event) { writer_->append({{"step", event.step}, {"done", event.cause}}); }

void MetricsObserver::on(const events::GaveUp& event) {
    writer_->append({{"step", event.step}, {"gave_up", {{"t", {event.first_t, event.last_t}}, {"place", event.place}}}});
}

void MetricsObserver::on(const events::CheckpointBegins&) { writer_->sync(); }

}  // namespace ddpm::train
