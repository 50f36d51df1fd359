#include "ddpm/sampling/guidance.h"

#include <cmath>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

#include "ddpm/sampling/sampler.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"
#include "support/errors.h"

namespace ddpm {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kEmpty = 3;

// Depends on x, t and the label.
at::Tensor labelled(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
    const auto column = [&](const at::Tensor& numbers) { return numbers.to(x.scalar_type()).view({-1, 1, 1, 1}); };
    return (x * 1.7 + column(t) / 500 + column(y)).sin();
}

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

const std::vector<int64_t> kShape{2, 1, 4, 4};

at::Tensor labels() { return at::tensor(std::vector<int64_t>{0, 2}, at::kLong); }

ResolvedSampling settings_of(const SamplerInfo& sampler, const Guidance& guidance = {}) {
    const NoiseSchedule schedule = schedule_of("cosine");
    ResolvedSampling settings;
    settings.sampler = sampler.name;
    settings.guidance = guidance;
    settings.levels = walk_over(schedule, spaced_timesteps("trailing", 1000, 9, 0));
    if (sampler.reads("s_churn") && !sampler.keys.empty())
        settings.churn.levels = churned_levels(settings.levels, schedule, 3, 0, 80);
    return settings;
}

at::Tensor guided_sample(const Network& network, const ResolvedSampling& settings, bool one_batch = true) {
    const NetworkDenoiser guided(guided_by_label(network, kEmpty, settings.guidance, one_batch), PredictionType::v_prediction),
        alone(network, PredictionType::v_prediction);
    return sample(GuidedDenoiser(guided, alone, settings.guidance), torch_noise(kShape, 1)(0), labels(), settings,
                  torch_noise(kShape, 2));
}

// The numbers of a float64 restatement in Python, of c = sin(0.7·i) and u = cos(0.9·i), two pictures of eight numbers.
TEST(Guidance, RescalesToTheDeviationOfTheConditionalAnswer) {
    const at::Tensor i = at::arange(16, at::kDouble).view({2, 2, 2, 2}), c = (0.7 * i).sin(), u = (0.9 * i).cos();
    const std::vector<double> expected = {-0.738763600957123, 0.333984812156165,   1.3812059561013,   1.73074169130394,
                                          1.07495423031819,   -0.276181536884792,  -1.54203542142529, -1.9483262164495,
                                          -1.19977883397466,  0.196222888498793,   1.4495274696829,   1.83250459886859,
                                          1.16957525635454,   -0.0836473503451872, -1.1634853389294,  -1.48924812044284};
    const at::Tensor rescaled = guided_output(c, u, 2, {.scale = 2.5, .rescale = 0.7});
    EXPECT_LT(largest(rescaled.flatten() - at::tensor(expected, at::kDouble)), 1e-13);
    EXPECT_LT(largest(guided_output(c, u, 2, {.scale = 2.5}) - (2.5 * c - 1.5 * u)), 1e-14) << "without it: u + s·(c − u)";
    const auto deviation = [](const at::Tensor& x) { return x.flatten(1).std(1); };
    EXPECT_LT(largest(deviation(guided_output(c, u, 2, {.scale = 2.5, .rescale = 1})) - deviation(c)), 1e-14);
    const at::Tensor constant = at::ones({1, 2, 2, 2}, at::kDouble);
    EXPECT_TRUE(at::equal(guided_output(constant, 2 * constant, 2, {.scale = 3, .rescale = 1}), -constant)) << "no deviation";
}

TEST(Guidance, TheVarianceIsThatOfTheConditionalAnswer) {
    const at::Tensor c = torch_noise({2, 6, 4, 4}, 3)(0), u = torch_noise({2, 6, 4, 4}, 4)(0);
    const Guidance guidance{.scale = 3, .rescale = 0.5};
    const at::Tensor both = guided_output(c, u, 3, guidance);
    EXPECT_TRUE(at::equal(both.slice(1, 3), c.slice(1, 3)));
    EXPECT_TRUE(at::equal(both.slice(1, 0, 3), guided_output(c.slice(1, 0, 3), u.slice(1, 0, 3), 3, guidance)));
    EXPECT_TRUE(at::equal(guided_output(c, u.slice(1, 0, 3), 3, guidance), both)) << "a guide without a variance";
    const at::Tensor plain = guided_output(c.slice(1, 0, 3), u, 3, guidance);
    EXPECT_TRUE(at::equal(plain, both.slice(1, 0, 3))) << "a guide that has one";
    EXPECT_SAYS(error_of([&] { guided_output(c, u.slice(3, 0, 2), 3, guidance); }, Error::Kind::runtime), "guidance got answers");
}

// Through a whole chain: a learned variance with guidance is what a network with that prediction and c's variance draws.
TEST(Guidance, ALearnedVarianceIsSampledWithThatOfTheConditionalAnswer) {
    const Guidance guidance{.scale = 2};
    const Network network = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        const at::Tensor v = labelled(x, t, y);
        return at::cat({v, (3 * v).sin()}, 1);
    };
    const Network expected = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        const at::Tensor c = network(x, t, y), u = labelled(x, t, at::full_like(y, kEmpty));
        return at::cat({2 * c.slice(1, 0, 1) - u, c.slice(1, 1)}, 1);
    };
    ResolvedSampling settings = settings_of(sampler_info("ancestral"));
    settings.variance = VarianceType::learned_range;
    const auto drawn = [&](const Network& asked) {
        return sample(NetworkDenoiser(asked, PredictionType::v_prediction, true), torch_noise(kShape, 1)(0), labels(), settings,
                      torch_noise(kShape, 2));
    };
    EXPECT_LT(largest(drawn(guided_by_label(network, kEmpty, guidance, true)) - drawn(expected)), 1e-12);
    EXPECT_GT(largest(drawn(network) - drawn(expected)), 1e-2);
}

// Scale 1 costs one evaluation and changes no bit; a guided evaluation is two passes of N, in one batch or in turn; and
// ResolvedSampling::evaluations foretells their number from every step on.
TEST(Guidance, CostsWhatTheIntervalSays) {
    for (const SamplerInfo& sampler : sampler_infos()) {
        const at::Tensor plain = guided_sample(labelled, settings_of(sampler));
        for (const Guidance& guidance : {Guidance{}, Guidance{.scale = 3}, Guidance{.scale = 0}, Guidance{.scale = 3, .low = 0.2},
                                         Guidance{.scale = 3, .high = 5}, Guidance{.scale = 3, .low = 0.3, .high = 4},
                                         Guidance{.scale = 3, .low = 1e6, .high = 2e6}, Guidance{.low = 0.3, .high = 4}})
            for (const bool one_batch : {false, true}) {
                const ResolvedSampling settings = settings_of(sampler, guidance);
                int64_t passes = 0, calls = 0;
                const Network counted = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
                    passes += x.size(0) / kShape[0];
                    ++calls;
                    return labelled(x, t, y);
                };
                const at::Tensor drawn = guided_sample(counted, settings, one_batch);
                SCOPED_TRACE(sampler.name + ", from " + std::to_string(guidance.low));
                EXPECT_EQ(passes, settings.evaluations());
                const int64_t asked = sampler.evaluations(9);
                EXPECT_EQ(calls, one_batch ? asked : passes);
                const bool whole = guidance.low == 0 && guidance.high == kInfinity, none = !guidance.on() || guidance.low == 1e6;
                EXPECT_EQ(passes == asked, none);
                EXPECT_EQ(passes == 2 * asked, guidance.on() && whole);
                EXPECT_EQ(at::equal(drawn, plain), none);
                EXPECT_EQ(settings.evaluations(9), 0);
            }
    }
    // Counted by hand: five steps of trailing spacing over 0 … 999, whose k are those of t = 999, 799, 599, 399, 199.
    ResolvedSampling settings;
    settings.sampler = "ddim";
    const NoiseSchedule schedule = schedule_of("linear");
    settings.levels = walk_over(schedule, {199, 399, 599, 799, 999});
    settings.guidance = {.scale = 2, .low = schedule.level(199).ratio(), .high = schedule.level(599).ratio()};
    EXPECT_EQ(settings.evaluations(), 7) << "not at LO itself, but at HI: t = 399 and 599";
    EXPECT_EQ(settings.evaluations(3), 3);
    settings.sampler = "heun";
    EXPECT_EQ(settings.evaluations(), 9 + 4) << "each of these t ends a step and begins one";
}

// At zero terminal SNR k is infinite: guided without an upper bound alone.
TEST(Guidance, TheIntervalIsOpenBelowAndClosedAbove) {
    const NoiseLevel pure = schedule_of("linear", 1000, true).level(999), one = schedule_of("linear").level(500);
    EXPECT_TRUE(Guidance{.scale = 2}.at(pure));
    EXPECT_FALSE((Guidance{.scale = 2, .high = 1e6}.at(pure)));
    EXPECT_TRUE((Guidance{.scale = 2, .high = one.ratio()}.at(one)));
    EXPECT_FALSE((Guidance{.scale = 2, .low = one.ratio()}.at(one)));
    EXPECT_FALSE(Guidance{}.at(one));
}

TEST(Guidance, OneBatchIsTwoPasses) {
    for (const SamplerInfo& sampler : sampler_infos())
        for (const double rescale : {0.0, 0.7}) {
            const ResolvedSampling settings = settings_of(sampler, {.scale = 2.5, .rescale = rescale});
            EXPECT_LT(largest(guided_sample(labelled, settings, true) - guided_sample(labelled, settings, false)), 1e-11)
                << sampler.name;
        }
}

// A network may answer in memory that the next call overwrites.
TEST(Guidance, TheFirstAnswerIsKept) {
    at::Tensor memory;
    const Network overwriting = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        const at::Tensor answer = labelled(x, t, y);
        if (!memory.defined() || memory.sizes() != answer.sizes()) memory = at::empty_like(answer);
        return memory.copy_(answer);
    };
    const at::Tensor x = torch_noise(kShape, 5)(0), t = at::full({2}, 400.0, at::kFloat);
    const Guidance guidance{.scale = 3};
    const at::Tensor expected = guided_by_label(labelled, kEmpty, guidance, false)(x, t, labels());
    EXPECT_TRUE(at::equal(guided_by_label(overwriting, kEmpty, guidance, false)(x, t, labels()), expected));
    const Network guide = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& y) {
        return labelled(a, b, at::full_like(y, kEmpty));
    };
    EXPECT_TRUE(at::equal(guided_by_network(overwriting, guide, guidance)(x, t, labels()), expected));
}

TEST(Guidance, ANetworkThatGuidesItselfChangesNothing) {
    for (const SamplerInfo& sampler : sampler_infos()) {
        const ResolvedSampling settings = settings_of(sampler, {.scale = 3});
        const auto drawn = [&](const Network& network) {
            return sample(NetworkDenoiser(network, PredictionType::epsilon), torch_noise(kShape, 1)(0), labels(), settings,
                          torch_noise(kShape, 2));
        };
        EXPECT_TRUE(at::equal(drawn(guided_by_network(labelled, labelled, settings.guidance)), drawn(labelled))) << sampler.name;
    }
}

TEST(Guidance, OneBatchWhereThreePassesFit) {
    EXPECT_TRUE(fits_one_batch(100, 300));
    EXPECT_FALSE(fits_one_batch(101, 300));
    EXPECT_FALSE(fits_one_batch(1, 0));
    EXPECT_TRUE(fits_one_batch(1000, std::nullopt));
    EXPECT_FALSE(fits_one_batch(int64_t{1} << 62, int64_t{1} << 62)) << "no overflow";
}

SampleOptions read(const Json& section) {
    SampleOptions options;
    sample_fields().read(options, section, "sample");
    return options;
}

ResolvedSampling resolved(const Json& given, const Json& fallback = Json::object()) {
    return resolve_sampling(read(given), read(fallback), schedule_of("cosine"));
}

TEST(Guidance, IsSettledFromTheLayers) {
    EXPECT_FALSE(resolved(Json::object()).guidance.on());
    const Json all = {{"guidance_scale", 3}, {"guidance_rescale", 0.7}, {"guidance_interval", {0.3, nullptr}}};
    const Guidance guidance = resolved(Json::object(), all).guidance;
    EXPECT_EQ(guidance.scale, 3);
    EXPECT_EQ(guidance.rescale, 0.7);
    EXPECT_EQ(guidance.low, 0.3);
    EXPECT_EQ(guidance.high, kInfinity);
    EXPECT_EQ(resolved({{"guidance_scale", 2}}, all).guidance.rescale, 0.7);
    EXPECT_FALSE(resolved({{"guidance_scale", 1}}, all).guidance.on());
    const auto refusal = [](const Json& given, const Json& fallback = Json::object()) {
        return error_of([&] { resolved(given, fallback); });
    };
    EXPECT_SAYS(refusal({{"guidance_rescale", 0.7}}), "sample.guidance_rescale: nothing is guided without sample.guidance_scale");
    EXPECT_SAYS(refusal({{"guidance_interval", {0, 5}}}), "sample.guidance_interval: nothing is guided");
    EXPECT_SAYS(refusal({{"guidance_rescale", 0.7}, {"guidance_scale", 1}}), "sample.guidance_rescale: nothing is guided");
    EXPECT_EQ(refusal({{"guidance_rescale", 0.7}}, {{"guidance_scale", 2}}), "no error");
    EXPECT_EQ(refusal({{"guidance_scale", 1}, {"guidance_rescale", 0}, {"guidance_interval", nullptr}}), "no error")
        << "all of it written out";
    EXPECT_SAYS(resolved({{"guidance_scale", 2}, {"guidance_interval", {1e6, 2e6}}}).notice, "nothing is guided: no step has");
}

TEST(Guidance, TheTextsNameItWhileItIsInForce) {
    using Keys = std::vector<std::pair<std::string, std::string>>;
    const auto last = [](const Json& section) {
        const Keys keys = keys_in_force(resolved(section));
        Keys guidance;
        for (const auto& key : keys)
            if (key.first.rfind("guidance", 0) == 0) guidance.push_back(key);
        return guidance;
    };
    EXPECT_EQ(last({{"guidance_scale", 1}, {"guidance_rescale", 0}}), Keys{});
    EXPECT_EQ(last({{"guidance_scale", 2.5}}), (Keys{{"guidance_scale", "2.5"}}));
    EXPECT_EQ(last({{"guidance_scale", 3}, {"guidance_rescale", 0.7}, {"guidance_interval", {0.3, 5}}}),
              (Keys{{"guidance_scale", "3"}, {"guidance_rescale", "0.7"}, {"guidance_interval", "0.3,5"}}));
    EXPECT_EQ(last({{"guidance_scale", 3}, {"guidance_interval", {0.3, nullptr}}}),
              (Keys{{"guidance_scale", "3"}, {"guidance_interval", "0.3,inf"}}));
}

}  // namespace
}  // namespace ddpm
