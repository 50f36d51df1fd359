#include "ddpm/sampling/options.h"

#include <gtest/gtest.h>

#include "ddpm/sampling/sampler.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

SampleOptions read(const Json& section) {
    SampleOptions options;
    sample_fields().read(options, section, "sample");
    return options;
}

TEST(SampleOptions, AnythingMayBeLeftOpen) {
    const Json written = sample_fields().write(SampleOptions{});
    EXPECT_FALSE(written.empty());
    for (const auto& item : written.items()) EXPECT_TRUE(item.value().is_null()) << item.key();
    EXPECT_EQ(sample_fields().write(read(written)), written);
}

TEST(SampleOptions, WritesWhatItReads) {
    const Json section = {{"sampler", "ddim"},
                          {"steps", 50},
                          {"variance", nullptr},
                          {"eta", 0.5},
                          {"clip", false},
                          {"clip_range", 2.0},
                          {"timestep_spacing", "trailing"},
                          {"steps_offset", 1}};
    EXPECT_EQ(sample_fields().write(read(section)), section);
    for (const Json& wrong : {Json{{"sampler", "dimm"}}, Json{{"steps", 0}}, Json{{"eta", 1.5}}, Json{{"clip", 1}},
                              Json{{"clip_range", 0}}, Json{{"timestep_spacing", "x"}}, Json{{"steps_offset", -1}}})
        EXPECT_THROW(read(wrong), Error) << wrong;
}

TEST(SampleOptions, NamesTheSamplersOfTheTable) {
    std::vector<std::string> names;
    for (const Sampler& sampler : samplers()) names.push_back(sampler.name);
    EXPECT_EQ(names, sampler_names());
}

TEST(ResolveSampling, DefaultsToAncestralOverAllTimes) {
    const ResolvedSampling settings = resolve_sampling({}, {}, schedule_of("cosine"));
    EXPECT_EQ(settings.sampler, "ancestral");
    EXPECT_EQ(settings.timesteps, schedule_of("cosine").original_t());
    EXPECT_EQ(settings.variance, VarianceType::fixed_small);
    EXPECT_TRUE(settings.clip);
    EXPECT_EQ(settings.clip_range, 1);
    EXPECT_EQ(settings.clipped_eps, ClippedEps::rederived);
}

TEST(ResolveSampling, WhatIsGivenComesBeforeTheFallback) {
    const SampleOptions fallback =
        read({{"sampler", "ddim"}, {"steps", 50}, {"eta", 0.5}, {"variance", "fixed_large"}, {"steps_offset", 1}});
    const ResolvedSampling same = resolve_sampling({}, fallback, schedule_of("cosine"));
    EXPECT_EQ(same.sampler, "ddim");
    EXPECT_EQ(same.eta, 0.5);
    EXPECT_EQ(same.timesteps.front(), 1);
    EXPECT_EQ(same.timesteps.size(), 50u);
    const ResolvedSampling other = resolve_sampling(read({{"sampler", "ancestral"}, {"steps", 10}, {"clip", false}}),
                                                    fallback, schedule_of("cosine"));
    EXPECT_EQ(other.sampler, "ancestral");
    EXPECT_EQ(other.variance, VarianceType::fixed_large);
    EXPECT_EQ(other.timesteps.size(), 10u);
    EXPECT_FALSE(other.clip);
}

TEST(ResolveSampling, ZeroTerminalSnrBeginsAtTheLastTime) {
    const NoiseSchedule schedule = schedule_of("cosine", 1000, true);
    EXPECT_EQ(resolve_sampling(read({{"steps", 7}}), {}, schedule).timesteps.back(), 999);
    EXPECT_EQ(resolve_sampling(read({{"steps", 7}, {"timestep_spacing", "leading"}}), {}, schedule).timesteps.back(),
              852);
}

TEST(ResolveSampling, RefusesContradictions) {
    const NoiseSchedule schedule = schedule_of("cosine", 100);
    EXPECT_THROW(resolve_sampling(read({{"steps", 101}}), {}, schedule), Error);
    EXPECT_THROW(resolve_sampling(read({{"eta", 0.5}}), {}, schedule), Error);
    EXPECT_THROW(resolve_sampling(read({{"sampler", "ddim"}, {"variance", "fixed_small"}}), {}, schedule), Error);
    EXPECT_THROW(resolve_sampling(read({{"variance", "fixed_small"}}), read({{"sampler", "ddim"}}), schedule), Error);
    EXPECT_NO_THROW(resolve_sampling(read({{"eta", 0.5}}), read({{"sampler", "ddim"}}), schedule));
    EXPECT_NO_THROW(resolve_sampling(read({{"sampler", "ancestral"}}), read({{"eta", 0.5}}), schedule));
}

}  // namespace
}  // namespace ddpm
