#include "ddpm/eval/memorisation.h"

#include <cmath>

#include <gtest/gtest.h>

#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// Ninety samples and ten copies, 120 training and 80 held-out rows. The numbers expected of them are numpy's.
struct Sets {
    at::Tensor A = check_A(), samples = at::cat({check_B().slice(0, 0, 90), A.slice(0, 0, 10)}), train = A.slice(0, 0, 120),
               held_out = A.slice(0, 120);
};

TEST(Memorisation, AuthenticityIsThatOfAlaa) {
    const Sets sets;
    EXPECT_NEAR(authentic_share(sets.samples, sets.train).value, 0.52, 1e-15);
    EXPECT_EQ(authentic_share(sets.train, sets.train).value, 0) << "copies";
    EXPECT_EQ(authentic_share(sets.train + 100, sets.train).value, 1) << "a bad model looks original";
}

TEST(Memorisation, DataCopyingIsTheTestOfMannAndWhitney) {
    const Sets sets;
    const DataCopying found = data_copying(sets.samples, sets.train, sets.held_out);
    EXPECT_EQ(found.U, 4920);
    EXPECT_NEAR(found.Z, 2.649903964694, 1e-11);
    const DataCopying same = data_copying(sets.held_out, sets.train, sets.held_out);
    EXPECT_EQ(same.U, 3200) << "ties count ½";
    EXPECT_NEAR(same.Z, 0, 0.01);
    EXPECT_EQ(data_copying(sets.train, sets.train, sets.held_out).U, 0);
    EXPECT_LT(data_copying(sets.train, sets.train, sets.held_out).Z, -10);
}

TEST(Memorisation, RatiosAreThoseOfCarlini) {
    const Sets sets;
    const at::Tensor ratios = nearness_ratios(sets.samples, sets.train);
    EXPECT_EQ(ratios.sizes(), (std::vector<int64_t>{100}));
    const double expected[] = {1.0444557819755762, 1.2180194101742607, 1.1826471863896046};
    for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(ratios[i].item<double>(), expected[i], 1e-12);
    EXPECT_NEAR(ratios.sum().item<double>(), 104.04689011447691, 1e-9);
    EXPECT_TRUE(at::equal(ratios.slice(0, 90), at::zeros({10}, at::kDouble))) << "copies are at 0";
    EXPECT_NEAR(nearness_ratios(sets.held_out, sets.train).sum().item<double>(), 85.75763174502043, 1e-9);
    const at::Tensor of_five = nearness_ratios(sets.A.slice(0, 10, 12), sets.A.slice(0, 0, 5));
    EXPECT_NEAR(of_five[0].item<double>(), 1.532764396694284, 1e-12) << "all five count";
    EXPECT_NEAR(of_five[1].item<double>(), 1.3886600169488856, 1e-12);
    const at::Tensor many = sets.A.slice(0, 0, 1).repeat({60, 1});
    EXPECT_EQ(nearness_ratios(many.slice(0, 0, 1), many).item<double>(), 0) << "a copy of a picture that is there sixty times";
}

TEST(Memorisation, SharesHaveWilsonsInterval) {
    const Share tenth = share_of(10, 100), few = share_of(3, 898), none = share_of(0, 10), all = share_of(10, 10);
    EXPECT_EQ(tenth.value, 0.1);
    EXPECT_NEAR(tenth.low, 0.0552291370606751, 1e-14);
    EXPECT_NEAR(tenth.high, 0.17436566150491345, 1e-14);
    EXPECT_NEAR(few.low, 0.0011367953648031576, 1e-14);
    EXPECT_NEAR(few.high, 0.009775830933796432, 1e-14);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 0.2775327998628892, 1e-12);
    EXPECT_EQ(all.high, 1);
    EXPECT_NEAR(all.low, 1 - none.high, 1e-14);
}

TEST(Memorisation, SamplesCanBeNearerToTrain) {
    const Sets sets;
    EXPECT_NEAR(share_nearer_to_train(sets.samples, sets.train, sets.held_out).value, 0.53, 1e-15);
    EXPECT_EQ(share_nearer_to_train(sets.train, sets.train, sets.held_out).value, 1);
    EXPECT_EQ(share_nearer_to_train(sets.train, sets.train, sets.train).value, 0.5) << "as near to both";
}

// The held-out ratios are 1, 2, …; `hits` samples are below all of them.
CopiesFound found_of(int64_t hits, int64_t samples, int64_t held_out) {
    return find_copies(at::cat({at::full({samples - hits}, 1000.0, at::kDouble), at::arange(hits, at::kDouble) / (hits + 1)}),
                       at::arange(held_out, 0, -1, at::kDouble));
}

TEST(Memorisation, ThresholdAndChanceComeFromTheHeldOut) {
    const CopiesFound found = found_of(12, 200, 449);
    EXPECT_EQ(found.threshold, 4) << "⌊450/100⌋";
    EXPECT_NEAR(found.expected, 4.0 / 450, 1e-15);
    EXPECT_EQ(found.flagged.value, 0.06);
    EXPECT_NEAR(found.p_value, 0.00010180214800934737, 1e-12) << "Python, from the counts of orders";
    EXPECT_NEAR(found_of(3, 200, 449).p_value, 0.27028652857636093, 1e-9);
    EXPECT_NEAR(found_of(0, 200, 449).p_value, 1, 1e-9);
    EXPECT_TRUE(at::equal(found.rows, at::arange(188, 200))) << "the smallest first";
    // One sample is below the only held-out one in half of the orders, below the smallest of 50 in one of 51.
    EXPECT_NEAR(found_of(1, 1, 1).p_value, 0.5, 1e-12);
    EXPECT_NEAR(found_of(1, 1, 50).p_value, 1.0 / 51, 1e-12);
    EXPECT_NEAR(found_of(1, 1, 50).expected, 1.0 / 51, 1e-15);
    EXPECT_EQ(found_of(0, 5, 99).threshold, 1);
    EXPECT_EQ(found_of(0, 5, 199).threshold, 2);
}

CopiesFound copies_of(const at::Tensor& samples, const at::Tensor& train, const at::Tensor& held_out) {
    return find_copies(nearness_ratios(samples, train), nearness_ratios(held_out, train));
}

TEST(Memorisation, FindsPlantedCopies) {
    const at::Tensor train = normal_rows(400, 12, 1), held_out = normal_rows(300, 12, 2);
    at::Tensor samples = normal_rows(200, 12, 3).to(at::kFloat);
    samples.slice(0, 50, 60).copy_(train.slice(0, 7, 17) + 0.05 * normal_rows(10, 12, 4));
    const CopiesFound found = copies_of(samples, train, held_out);
    const at::Tensor first = std::get<0>(found.rows.slice(0, 0, 10).sort());
    EXPECT_TRUE(at::equal(first, at::arange(50, 60))) << "the copies are the most suspicious";
    EXPECT_LT(found.p_value, 0.01);
    EXPECT_GT(found.flagged.low, found.expected);
    EXPECT_EQ(found.flagged.value, static_cast<double>(found.rows.size(0)) / 200);
}

// Samples of the data's law: an accusation at p ≤ 0.05 is false, and happens in at most 5 of 100 cases. More than 12 of 100 have
// a chance of 1 in 700.
TEST(Memorisation, RarelyAccusesTheClean) {
    int64_t accused = 0;
    double flagged = 0, expected = 0;
    for (uint64_t set = 10; set < 310; set += 3) {
        const CopiesFound found = copies_of(normal_rows(100, 4, set), normal_rows(120, 4, set + 1), normal_rows(199, 4, set + 2));
        accused += found.p_value <= 0.05;
        flagged += found.flagged.value / 100;
        expected = found.expected;
    }
    EXPECT_LE(accused, 12);
    EXPECT_NEAR(flagged, expected, 0.005) << "four standard errors";
}

TEST(Memorisation, FlagsNothingIfTheHeldOutAreCopies) {
    const at::Tensor train = normal_rows(60, 3, 5);
    const CopiesFound found = copies_of(train, train, train);
    EXPECT_EQ(found.threshold, 0);
    EXPECT_EQ(found.flagged.value, 0);
    EXPECT_EQ(found.rows.size(0), 0);
    EXPECT_NEAR(found.p_value, 1, 1e-9);
}

TEST(Memorisation, RefusesWhatItCannotUse) {
    const at::Tensor x = normal_rows(30, 3, 6);
    EXPECT_SAYS(error_of([&] { nearness_ratios(x, x.slice(0, 0, 1)); }), "the training pictures' features: there are 1 rows");
    EXPECT_SAYS(error_of([&] { authentic_share(x, x.slice(0, 0, 1)); }), "the training pictures' features: there are 1 rows");
    EXPECT_SAYS(error_of([&] { nearness_ratios(x.slice(1, 1), x); }), "have 2 columns, but the reference's have 3");
    EXPECT_SAYS(error_of([&] { data_copying(x, x / 0, x); }), "the training pictures' features: row 0");
    EXPECT_SAYS(error_of([&] { data_copying(x, x, x.slice(0, 0, 0)); }), "the held-out pictures' features: there are 0 rows");
    EXPECT_SAYS(error_of([&] { data_copying(x / 0, x, x); }), "the samples' features: row 0");
    EXPECT_SAYS(error_of([&] { share_nearer_to_train(x, x, x.slice(1, 1)); }), "columns");
    EXPECT_SAYS(error_of([&] { find_copies(at::empty({0}), at::ones({3})); }), "the samples' ratios");
    EXPECT_SAYS(error_of([&] { find_copies(at::ones({3}), at::full({3}, NAN)); }), "the held-out ratios");
}

}  // namespace
}  // namespace ddpm
