#include "ddpm/sampling/options.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/sampling/sampler.h"
#include "ddpm/sampling/spacing.h"
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

TEST(SampleOptions, TheTableWithoutLibTorchIsTheTable) {
    std::vector<std::string> names;
    for (const Sampler& sampler : samplers()) {
        names.push_back(sampler.name);
        EXPECT_EQ(sampler.keys, sampler_info(sampler.name).keys);
        EXPECT_NE(sampler.run, nullptr);
    }
    EXPECT_EQ(names, sampler_names());
}

TEST(SampleOptions, EveryRowIsSound) {
    const std::vector<std::string> keys = sample_fields().names(), spacings = timestep_spacing_names();
    for (const SamplerInfo& info : sampler_infos()) {
        EXPECT_FALSE(info.summary.empty()) << info.name;
        EXPECT_NE(std::find(spacings.begin(), spacings.end(), info.spacing), spacings.end()) << info.name;
        EXPECT_EQ(info.evaluations(0), 0) << info.name;
        for (const std::string& key : info.keys)
            EXPECT_NE(std::find(keys.begin(), keys.end(), key), keys.end()) << info.name << " reads " << key;
    }
    EXPECT_EQ(samplers_reading("eta"), std::vector<std::string>{"ddim"});
    EXPECT_EQ(samplers_reading("steps"), std::vector<std::string>{});
    EXPECT_TRUE(sampler_info("ancestral").reads("steps"));
    EXPECT_FALSE(sampler_info("ancestral").reads("eta"));
}

// Whatever the row says is what is refused, by the names of those that read the key.
TEST(SampleOptions, AKeyThatTheSamplerDoesNotReadIsRefusedByName) {
    const Json values = {{"sampler", "ddim"}, {"steps", 5},      {"variance", "fixed_large"},      {"eta", 0.5},
                         {"clip", false},     {"clip_range", 2}, {"timestep_spacing", "linspace"}, {"steps_offset", 0}};
    for (const SamplerInfo& info : sampler_infos())
        for (const std::string& key : sample_fields().names()) {
            if (key == "sampler") continue;
            ASSERT_TRUE(values.contains(key)) << "give the key " << key << " a value here";
            const SampleOptions given = read({{"sampler", info.name}, {key, values[key]}});
            if (info.reads(key)) {
                EXPECT_NO_THROW(resolve_sampling(given, {}, schedule_of("cosine"))) << info.name << " " << key;
                continue;
            }
            try {
                resolve_sampling(given, {}, schedule_of("cosine"));
                ADD_FAILURE() << info.name << " takes " << key;
            } catch (const Error& error) {
                EXPECT_EQ(std::string(error.what()), "sample." + key + ": the " + info.name + " sampler has none; leave " +
                                                         "it out or take " + join(samplers_reading(key), " or "));
            }
        }
}

TEST(SampleOptions, TheKeysInForceAreThoseOfTheRow) {
    for (const SamplerInfo& info : sampler_infos()) {
        std::vector<std::string> keys;
        for (const auto& [key, value] :
             keys_in_force(resolve_sampling(read({{"sampler", info.name}}), {}, schedule_of("cosine")))) {
            keys.push_back(key);
            EXPECT_NE(value, "null") << key;
        }
        EXPECT_EQ(keys, info.keys);
    }
    using Keys = std::vector<std::pair<std::string, std::string>>;
    ResolvedSampling settings;
    EXPECT_EQ(keys_in_force(settings), (Keys{{"variance", "fixed_small"}}));
    settings.sampler = "ddim";
    EXPECT_EQ(keys_in_force(settings), (Keys{{"eta", "0"}})) << "as it is typed";
    settings.eta = 0.25;
    EXPECT_EQ(keys_in_force(settings), (Keys{{"eta", "0.25"}}));
}

// Ascending.
std::vector<int64_t> times_of(const ResolvedSampling& settings) {
    std::vector<int64_t> times;
    for (int64_t i = settings.steps() - 1; i >= 0; --i)
        times.push_back(static_cast<int64_t>(settings.levels[static_cast<size_t>(i)].t));
    return times;
}

TEST(ResolveSampling, DefaultsToAncestralOverAllTimes) {
    const ResolvedSampling settings = resolve_sampling({}, {}, schedule_of("cosine"));
    EXPECT_EQ(settings.sampler, "ancestral");
    EXPECT_EQ(times_of(settings), schedule_of("cosine").original_t());
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
    EXPECT_EQ(times_of(same).front(), 1);
    EXPECT_EQ(same.steps(), 50);
    const ResolvedSampling other =
        resolve_sampling(read({{"sampler", "ancestral"}, {"steps", 10}, {"clip", false}}), fallback, schedule_of("cosine"));
    EXPECT_EQ(other.sampler, "ancestral");
    EXPECT_EQ(other.variance, VarianceType::fixed_large);
    EXPECT_EQ(other.steps(), 10);
    EXPECT_FALSE(other.clip);
}

TEST(ResolveSampling, ZeroTerminalSnrBeginsAtTheLastTime) {
    const NoiseSchedule schedule = schedule_of("cosine", 1000, true);
    EXPECT_EQ(resolve_sampling(read({{"steps", 20}}), {}, schedule).levels.front().t, 999);
    EXPECT_EQ(resolve_sampling(read({{"steps", 20}, {"timestep_spacing", "leading"}}), {}, schedule).levels.front().t, 950);
}

// A scheduler of a model names the spacing of its own sampler; one that does badly with it takes its own.
TEST(ResolveSampling, ASpacingGoesWithTheSamplerThatItWasNamedFor) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const auto first_t = [&](const Json& given, const Json& fallback) {
        return resolve_sampling(read(given), read(fallback), schedule).levels.front().t;
    };
    const Json own = {{"sampler", "dpmpp_2m"}, {"steps", 20}};
    const Json of_ddpm = {{"sampler", "ancestral"}, {"timestep_spacing", "leading"}, {"steps_offset", 1}};
    EXPECT_EQ(first_t(own, Json::object()), 999) << "trailing";
    EXPECT_EQ(first_t(own, of_ddpm), 999) << "trailing";
    EXPECT_EQ(first_t({{"sampler", "dpmpp_2m"}, {"steps", 20}, {"timestep_spacing", "leading"}}, of_ddpm), 950);
    EXPECT_EQ(first_t({{"steps", 20}}, {{"sampler", "dpmpp_2m"}, {"timestep_spacing", "leading"}}), 950);
    EXPECT_EQ(first_t({{"sampler", "ddim"}, {"steps", 20}}, of_ddpm), 951) << "ddim wants what ancestral wants";
    EXPECT_EQ(first_t({{"sampler", "ddim"}, {"steps", 20}}, {{"sampler", "dpmpp_2m"}, {"timestep_spacing", "trailing"}}), 950);
}

// Sampling begins with pure noise, so its first level must hold next to nothing of the picture. Held over counts, schedules
// and spacings against the closed forms: leading begins at (S−1)·⌊T/S⌋, linspace of one step at 0, all others at T−1; the share
// of the picture there is √ᾱ of the schedule.
TEST(ResolveSampling, BeginsWhereNothingOfThePictureIsLeft) {
    int refused = 0, taken = 0;
    for (const char* name : {"linear", "cosine"})
        for (const int64_t T : {50, 1000})
            for (const bool zero_terminal_snr : {false, true}) {
                const NoiseSchedule schedule = schedule_of(name, T, zero_terminal_snr);
                const Table& share = schedule.sqrt_alphas_cumprod();
                for (const int64_t S : {1, 2, 3, 7, 10, 20, 24, 25, 26, 49, 50, 100, 334, 500, 501, 999, 1000}) {
                    if (S > T) continue;
                    for (const std::string spacing : {"leading", "trailing", "linspace"}) {
                        SCOPED_TRACE(fmt::format("{} T = {}, {} steps, {}", name, T, S, spacing));
                        const int64_t begin = spacing == "leading"              ? (S - 1) * (T / S)
                                              : spacing == "linspace" && S == 1 ? 0
                                                                                : T - 1;
                        const bool visible = begin < T - 1 && share[begin] > 0.1;
                        const SampleOptions asked = read({{"steps", S}, {"timestep_spacing", spacing}});
                        const ResolvedSampling settled = resolve_sampling(read({{"steps", S}}), asked, schedule);
                        EXPECT_EQ(settled.levels.front().t, visible ? T - 1 : begin);
                        EXPECT_EQ(settled.steps(), S);
                        EXPECT_EQ(settled.notice.empty(), !visible);
                        try {
                            EXPECT_EQ(resolve_sampling(asked, {}, schedule).levels.front().t, begin);
                            EXPECT_FALSE(visible);
                            ++taken;
                        } catch (const Error& error) {
                            EXPECT_TRUE(visible) << error.what();
                            EXPECT_EQ(error.key(), "sample.timestep_spacing");
                            EXPECT_NE(std::string(error.what()).find(fmt::format("t = {}", begin)), std::string::npos)
                                << error.what();
                            ++refused;
                        }
                    }
                }
            }
    EXPECT_GT(refused, 40);
    EXPECT_GT(taken, 150);
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
