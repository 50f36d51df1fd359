#include "train/end_finder.h"

#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/json.h"
#include "ddpm/core/text.h"
#include "ddpm/report/metrics.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::train {

namespace {

double number_in(const Json& json, const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_number() ? found->get<double>() : std::nan("");
}

Json part_of(const Json& json, const char* key) { return json.is_object() && json.contains(key) ? json.at(key) : Json(); }

std::string text_in(const Json& json, const char* key) {
    const Json part = part_of(json, key);
    return part.is_string() ? part.get<std::string>() : "";
}

// The copies of a line of metrics.jsonl; numbers that are missing make it none.
events::CopiesAmongSamples copies_of(const Json& json, double samples) {
    const double flagged = number_in(json, "flagged"), expected = number_in(json, "expected"), p_value = number_in(json, "p_value");
    if (!std::isfinite(flagged + expected + p_value + samples)) return {};
    return {static_cast<int64_t>(flagged), static_cast<int64_t>(samples), expected, p_value};
}

}  // namespace

std::optional<events::DoneFound> EndFinder::news(const TrainJob& job, const TrainState& state) const {
    if (!rule_.finding() || said_) return std::nullopt;
    const auto& [cause, words] = *rule_.finding();
    const bool by_loss = state.best && (cause != "quality" || !state.best_quality);
    std::string best;
    if (by_loss || state.best_quality)
        best = fmt::format("; the best checkpoint is {} (step {})",
                           (job.folder / "checkpoints" / (by_loss ? kBestByLoss : kBestByQuality)).string(),
                           with_commas(by_loss ? state.best->step : state.best_quality->step));
    return events::DoneFound{state.step, cause, words + best, job.stop_when_done};
}

// Steps may have been taken back, so that nothing of before counts but what the lines say.
void EndFinder::on(const events::AttemptBegun& event) {
    rule_ = {};
    said_ = false;
    judged_ = 0;
    if (!event.goes_on) return;
    for (const Json& line : read_metrics(metrics_, {"validation", "quality", "done"})) {
        const double step_number = number_in(line, "step");
        const auto step = std::isfinite(step_number) ? static_cast<int64_t>(step_number) : int64_t{0};
        if (line.contains("validation")) rule_.add_held_out(step, number_in(part_of(part_of(line, "validation"), "ema"), "loss"));
        if (line.contains("done")) said_ = true;
        if (!line.contains("quality")) continue;
        judged_ = step;
        if (line.contains("copies")) rule_.add_copies(step, copies_of(line.at("copies"), number_in(line, "samples")));
        const std::string decides = text_in(line, "decides");
        const Json number = part_of(line.at("quality"), decides.c_str());
        rule_.add_quality(step, {decides, number_in(number, "value"), number_in(number, "sd"), {}}, text_in(line, "protocol"));
    }
}

void EndFinder::on(const events::Validated& event) { rule_.add_held_out(event.step, event.ema.mean); }

void EndFinder::on(const events::QualityMeasured& event) {
    judged_ = event.step;
    if (event.judgement.copies) rule_.add_copies(event.step, *event.judgement.copies);
    rule_.add_quality(event.step, event.judgement.numbers.front(), event.judgement.protocol);
}

void EndFinder::on(const events::DoneFound&) { said_ = true; }

}  // namespace ddpm::train
