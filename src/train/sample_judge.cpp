#include "train/sample_judge.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "train/continue_without.h"

namespace ddpm::train {

SampleJudge::SampleJudge(const TrainJob& job, const Observers& observers) : job_(job), observers_(observers) {
    if (job.judge) began_ = job.clock();
}

bool SampleJudge::due(int64_t step) const {
    const int64_t every = job_.judging.every;
    return job_.judge && every > 0 && (step == job_.train.steps || step % every == 0);
}

double SampleJudge::share_of_time() const {
    const double elapsed = job_.clock() - began_;
    return elapsed > 0 ? std::min(spent_ / elapsed, 1.0) : 0;
}

bool SampleJudge::judge(TrainState& state, const std::function<bool()>& stop) {
    if (const double share = share_of_time(); share > job_.judging.share && state.step != job_.train.steps) {
        observers_.tell(events::JudgingSkipped{state.step, share, ++skipped_});
        return false;
    }
    std::optional<events::Judgement> judgement;
    const double began = job_.clock();
    continue_without("this judgement of samples", [&] { judgement = job_.judge(*state.ema, state.step, stop); });
    const double seconds = job_.clock() - began;
    spent_ += seconds;
    if (!judgement || judgement->numbers.empty()) return false;
    const bool best = note(state, *judgement);
    observers_.tell(events::QualityMeasured{state.step, std::move(*judgement), best, seconds, share_of_time()});
    return best;
}

// Notes the judgement in the state if its first number is the lowest by its protocol. What another protocol has found counts no more.
bool SampleJudge::note(TrainState& state, const events::Judgement& judgement) const {
    const events::QualityOfSamples& first = judgement.numbers.front();
    if (state.guard.in_a_row > 0 || !std::isfinite(first.value)) return false;
    const std::optional<BestQuality>& best = state.best_quality;
    if (best && best->metric == first.name && best->protocol == judgement.protocol && best->value <= first.value) return false;
    state.best_quality = {state.step, first.value, first.name, judgement.protocol};
    return true;
}

}  // namespace ddpm::train
