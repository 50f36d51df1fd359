#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ddpm/eval/jackknife.h"

namespace ddpm {

// One of several sets of samples that began at the same noise and were judged beside the same real pictures.
struct Contender {
    int64_t evaluations = 0;  // of the network, that a picture costs
    Jackknifed distance{};    // to the real pictures; its value is NaN if the samples could not be judged
};

// Which set of samples is the nearest, and which are as good.
struct Ranking {
    size_t best = 0;  // the lowest distance; of equal ones the cheapest, then the first
    // Each one's distance less that of the best, the groups paired. A set that could not be judged has NaN and no groups.
    std::vector<Jackknifed> differences{};
    std::vector<bool> as_good{};  // whether the set was judged and ±2·sd of its difference holds 0
    size_t cheapest = 0;          // the fewest evaluations among those that are as good; of equal ones the lowest distance
};

// Ranks sets of samples. Returns nothing if none could be judged. The best is chosen among many by its own number, which chance
// has helped a little, so differences to it are a little too large, and the more sets there are the more.
std::optional<Ranking> rank_samples(const std::vector<Contender>& contenders);

// Returns the sets than which none is both as cheap and nearer, by ascending evaluations (their distances fall). Of sets with the same evaluations
// and distance the first stands for all. Sets that could not be judged are left out.
std::vector<size_t> pareto_front(const std::vector<Contender>& contenders);

}  // namespace ddpm
