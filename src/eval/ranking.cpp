#include "ddpm/eval/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace ddpm {

namespace {

// The indices of the sets that were judged.
std::vector<size_t> judged_contenders(const std::vector<Contender>& contenders) {
    std::vector<size_t> judged;
    for (size_t i = 0; i < contenders.size(); ++i)
        if (std::isfinite(contenders[i].distance.value)) judged.push_back(i);
    return judged;
}

}  // namespace

std::optional<Ranking> rank_samples(const std::vector<Contender>& contenders) {
    const std::vector<size_t> judged = judged_contenders(contenders);
    if (judged.empty()) return std::nullopt;
    Ranking ranking;
    ranking.best = *std::min_element(judged.begin(), judged.end(), [&](size_t a, size_t b) {
        const Contender &one = contenders[a], &other = contenders[b];
        return std::tie(one.distance.value, one.evaluations) < std::tie(other.distance.value, other.evaluations);
    });
    ranking.differences.assign(contenders.size(), {std::numeric_limits<double>::quiet_NaN(), {}});
    ranking.as_good.assign(contenders.size(), false);
    ranking.cheapest = ranking.best;
    for (const size_t i : judged) {
        ranking.differences[i] = jackknife_difference(contenders[i].distance, contenders[ranking.best].distance);
        ranking.as_good[i] = !is_told_apart(ranking.differences[i]);
        const Contender &one = contenders[i], &cheapest = contenders[ranking.cheapest];
        if (ranking.as_good[i] &&
            std::tie(one.evaluations, one.distance.value) < std::tie(cheapest.evaluations, cheapest.distance.value))
            ranking.cheapest = i;
    }
    return ranking;
}

std::vector<size_t> pareto_front(const std::vector<Contender>& contenders) {
    std::vector<size_t> order = judged_contenders(contenders), front;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const Contender &one = contenders[a], &other = contenders[b];
        return std::tie(one.evaluations, one.distance.value) < std::tie(other.evaluations, other.distance.value);
    });
    for (const size_t i : order)
        if (front.empty() || contenders[i].distance.value < contenders[front.back()].distance.value) front.push_back(i);
    return front;
}

}  // namespace ddpm
