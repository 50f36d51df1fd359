#include "ddpm/eval/ranking.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace ddpm {
namespace {

// A distance whose groups lie `spread` above and below it in turn, so that its sd is 3·|spread|. Two of one sign of `spread` move
// together.
Contender contender(int64_t evaluations, double distance, double spread = 0) {
    Contender made{evaluations, {distance, {}}};
    for (int group = 0; group < kJackknifeGroups; ++group)
        made.distance.without.push_back(distance + (group % 2 == 0 ? spread : -spread));
    return made;
}

Contender not_judged(int64_t evaluations) { return {evaluations, {std::numeric_limits<double>::quiet_NaN(), {}}}; }

TEST(Ranking, ChoosesTheCheapestThatIsNotToldApartFromTheBest) {
    const std::optional<Ranking> ranking =
        rank_samples({contender(100, 0.12, 0.01), contender(50, 0.10, 0.01), contender(10, 0.14, -0.01), contender(5, 0.14, 0.01),
                      not_judged(1), contender(20, 0.13, -0.01)});
    ASSERT_TRUE(ranking);
    EXPECT_EQ(ranking->best, 1u);
    EXPECT_EQ(ranking->as_good, (std::vector<bool>{false, true, true, false, false, true}))
        << "0.14 differs where its groups move with those of the best, and not where they move against them";
    EXPECT_EQ(ranking->cheapest, 2u);
    EXPECT_NEAR(ranking->differences[2].value, 0.04, 1e-15);
    EXPECT_NEAR(ranking->differences[2].sd(), 0.06, 1e-12);
    EXPECT_NEAR(ranking->differences[3].sd(), 0, 1e-12);
    EXPECT_EQ(ranking->differences[1].value, 0);
    EXPECT_TRUE(std::isnan(ranking->differences[4].value));
}

TEST(Ranking, TwoDeviationsAreTheBound) {
    // The difference has an sd of 0.06.
    const auto as_good = [](double distance) -> bool {
        return rank_samples({contender(10, 0, 0.01), contender(1, distance, -0.01)})->as_good[1];
    };
    EXPECT_TRUE(as_good(0.1199));
    EXPECT_FALSE(as_good(0.1201));
}

TEST(Ranking, EqualDistancesGoToTheCheaper) {
    const std::optional<Ranking> ranking = rank_samples({contender(20, 0.1), contender(10, 0.1), contender(10, 0.1)});
    ASSERT_TRUE(ranking);
    EXPECT_EQ(ranking->best, 1u);
    EXPECT_EQ(ranking->cheapest, 1u);
    EXPECT_EQ(ranking->as_good, std::vector<bool>(3, true));
    // Of equally cheap ones that are as good as the best, the nearest.
    EXPECT_EQ(rank_samples({contender(5, 0.02, 0.01), contender(5, 0.01, 0.01), contender(9, 0.0, -0.01)})->cheapest, 1u);
}

TEST(Ranking, OneSetIsTheBestAndNoneIsNothing) {
    EXPECT_EQ(rank_samples({contender(5, 0.2, 0.1)})->cheapest, 0u);
    EXPECT_FALSE(rank_samples({}));
    EXPECT_FALSE(rank_samples({not_judged(5)}));
}

TEST(ParetoFront, HoldsWhatNothingCheaperComesNear) {
    EXPECT_EQ(pareto_front({contender(10, 0.5), contender(5, 0.7), contender(20, 0.5), contender(20, 0.4), contender(50, 0.45),
                            contender(5, 0.7), not_judged(1), contender(5, 0.8)}),
              (std::vector<size_t>{1, 0, 3}));
    EXPECT_EQ(pareto_front({contender(1, -0.1), contender(2, 0.1)}), (std::vector<size_t>{0})) << "MMD may be below 0";
    EXPECT_TRUE(pareto_front({not_judged(1)}).empty());
}

}  // namespace
}  // namespace ddpm
