#include "ddpm/sampling/options.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/sampling/sampler.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"
#include "support/errors.h"

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
                          {"timesteps", {999, 500, 0}},
                          {"variance", nullptr},
                          {"eta", 0.5},
                          {"order", 3},
                          {"s_churn", 40.0},
                          {"s_tmin", 0.05},
                          {"s_tmax", nullptr},
                          {"s_noise", 1.003},
                          {"clip", false},
                          {"clip_range", 2.0},
                          {"threshold_ratio", 0.995},
                          {"threshold_max", 1.5},
                          {"guidance_scale", 3.0},
                          {"guidance_rescale", 0.7},
                          {"guidance_interval", {0.3, nullptr}},
                          {"timestep_spacing", "trailing"},
                          {"steps_offset", 1},
                          {"rho", 5.0}};
    EXPECT_EQ(sample_fields().write(read(section)), section);
    for (const Json& wrong : {Json{{"sampler", "dimm"}},
                              Json{{"steps", 0}},
                              Json{{"eta", 1.5}},
                              Json{{"clip", 1}},
                              Json{{"clip_range", 0}},
                              Json{{"timestep_spacing", "x"}},
                              Json{{"steps_offset", -1}},
                              Json{{"order", 0}},
                              Json{{"order", 4}},
                              Json{{"s_churn", -1}},
                              Json{{"s_tmin", -1}},
                              Json{{"s_tmax", -1}},
                              Json{{"s_noise", -1}},
                              Json{{"threshold_ratio", 0}},
                              Json{{"threshold_ratio", 1.1}},
                              Json{{"threshold_max", 0.9}},
                              Json{{"guidance_scale", -0.1}},
                              Json{{"guidance_scale", 1001}},
                              Json{{"guidance_rescale", 1.1}},
                              Json{{"guidance_interval", 5}},
                              Json{{"guidance_interval", {0.3, 5, 6}}},
                              Json{{"guidance_interval", {nullptr, 5}}},
                              Json{{"guidance_interval", {-1, 5}}},
                              Json{{"guidance_interval", {5, 5}}},
                              Json{{"rho", 0}},
                              Json{{"timesteps", 5}},
                              Json{{"timesteps", Json::array()}},
                              Json{{"timesteps", {5, 5}}},
                              Json{{"timesteps", {5, 6}}},
                              Json{{"timesteps", {-1}}}})
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
    EXPECT_EQ(samplers_reading("eta"), (std::vector<std::string>{"ddim", "dpmpp_2m"}));
    EXPECT_EQ(samplers_reading("steps"), std::vector<std::string>{});
    EXPECT_TRUE(sampler_info("ancestral").reads("steps"));
    EXPECT_FALSE(sampler_info("ancestral").reads("eta"));
}

// Whatever the row says is what is refused, by the names of those that read the key.
TEST(SampleOptions, AKeyThatTheSamplerDoesNotReadIsRefusedByName) {
    // Each with what it needs beside it.
    const std::map<std::string, Json> values = {{"steps", {{"steps", 5}}},
                                                {"timesteps", {{"timesteps", {999, 10}}}},
                                                {"variance", {{"variance", "fixed_large"}}},
                                                {"eta", {{"eta", 0.5}}},
                                                {"order", {{"order", 3}}},
                                                {"s_churn", {{"s_churn", 3}}},
                                                {"s_tmin", {{"s_tmin", 0.1}, {"s_churn", 3}}},
                                                {"s_tmax", {{"s_tmax", 80}, {"s_churn", 3}}},
                                                {"s_noise", {{"s_noise", 1.01}, {"s_churn", 3}}},
                                                {"clip", {{"clip", false}}},
                                                {"clip_range", {{"clip_range", 2}}},
                                                {"threshold_ratio", {{"threshold_ratio", 0.99}}},
                                                {"threshold_max", {{"threshold_max", 2}, {"threshold_ratio", 0.99}}},
                                                {"guidance_scale", {{"guidance_scale", 3}}},
                                                {"guidance_rescale", {{"guidance_rescale", 0.7}, {"guidance_scale", 3}}},
                                                {"guidance_interval", {{"guidance_interval", {0, 5}}, {"guidance_scale", 3}}},
                                                {"timestep_spacing", {{"timestep_spacing", "linspace"}}},
                                                {"steps_offset", {{"steps_offset", 0}}},
                                                {"rho", {{"rho", 5}, {"timestep_spacing", "karras"}}}};
    for (const SamplerInfo& info : sampler_infos())
        for (const std::string& key : sample_fields().names()) {
            if (key == "sampler") continue;
            ASSERT_TRUE(values.contains(key)) << "give the key " << key << " a value here";
            Json section = info.reads(key) ? values.at(key) : Json{{key, values.at(key).at(key)}};
            section["sampler"] = info.name;
            const SampleOptions given = read(section);
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
        std::vector<std::string> expected = info.keys;
        expected.insert(expected.end(), {"timestep_spacing", "clip"});
        EXPECT_EQ(keys, expected);
    }
    using Keys = std::vector<std::pair<std::string, std::string>>;
    const auto in_force = [](const Json& section) {
        return keys_in_force(resolve_sampling(read(section), {}, schedule_of("cosine")));
    };
    EXPECT_EQ(in_force(Json::object()), (Keys{{"variance", "fixed_small"}, {"timestep_spacing", "leading"}, {"clip", "1"}}));
    EXPECT_EQ(in_force({{"sampler", "ddim"}, {"clip", false}}),
              (Keys{{"eta", "0"}, {"timestep_spacing", "leading"}, {"clip", "none"}}))
        << "as it is typed";
    EXPECT_EQ(in_force({{"sampler", "euler_a"}, {"steps", 500}, {"steps_offset", 1}, {"clip_range", 1.5}}),
              (Keys{{"eta", "1"}, {"timestep_spacing", "leading"}, {"steps_offset", "1"}, {"clip", "1.5"}}));
    EXPECT_EQ(in_force({{"sampler", "unipc"}, {"timesteps", {999, 850, 5}}, {"threshold_ratio", 0.995}}),
              (Keys{{"order", "2"}, {"timesteps", "999,850,5"}, {"threshold_ratio", "0.995"}, {"threshold_max", "none"}}));
    EXPECT_EQ(in_force({{"sampler", "heun"},
                        {"timestep_spacing", "karras"},
                        {"s_churn", 40},
                        {"s_tmin", 0.05},
                        {"threshold_ratio", 0.9},
                        {"threshold_max", 2}}),
              (Keys{{"s_churn", "40"},
                    {"s_tmin", "0.05"},
                    {"s_tmax", "none"},
                    {"s_noise", "1"},
                    {"timestep_spacing", "karras"},
                    {"rho", "7"},
                    {"threshold_ratio", "0.9"},
                    {"threshold_max", "2"}}));
}

// What they stand for, unless something else is said in the same breath.
TEST(SampleOptions, AliasesMeanASamplerAndPerhapsItsEta) {
    struct Row {
        const char *alias, *sampler;
        double eta;
    };
    const Row rows[] = {{"ddpm", "ancestral", 0},       {"euler", "ddim", 0},   {"euler_ancestral", "ddim", 1},
                        {"euler_a", "ddim", 1},         {"uni_pc", "unipc", 0}, {"dpm++2m", "dpmpp_2m", 0},
                        {"dpmpp_2m_sde", "dpmpp_2m", 1}};
    EXPECT_EQ(sampler_spellings().size(), sampler_names().size() + std::size(rows));
    const auto resolved = [](const Json& given, const Json& fallback) {
        return resolve_sampling(read(given), read(fallback), schedule_of("cosine"));
    };
    for (const Row& row : rows) {
        for (const bool in_fallback : {false, true}) {
            const Json named = {{"sampler", row.alias}}, nothing = Json::object();
            const ResolvedSampling settings = in_fallback ? resolved(nothing, named) : resolved(named, nothing);
            EXPECT_EQ(settings.sampler, row.sampler) << row.alias;
            EXPECT_EQ(settings.eta, row.eta) << row.alias;
        }
        EXPECT_NE(describe_samplers().find(row.alias), std::string::npos);
    }
    EXPECT_EQ(resolved({{"sampler", "euler_a"}, {"eta", 0.5}}, Json::object()).eta, 0.5);
    EXPECT_EQ(resolved({{"eta", 0.5}}, {{"sampler", "euler_a"}}).eta, 0.5);
    EXPECT_EQ(resolved({{"sampler", "euler_a"}}, {{"sampler", "ddim"}, {"eta", 0.5}}).eta, 1);
    EXPECT_EQ(resolved({{"sampler", "ddim"}}, {{"sampler", "euler_a"}}).eta, 0) << "plain DDIM was asked for";
    EXPECT_EQ(resolved({{"sampler", "uni_pc"}}, {{"sampler", "unipc"}, {"order", 3}}).order, 3) << "the same by another name";
    EXPECT_SAYS(error_of([&] { resolved({{"sampler", "ddpm"}, {"eta", 1}}, Json::object()); }), "the ancestral sampler has none");
    // Aliases are kept as they are written until they are resolved.
    EXPECT_EQ(filled_from(read({{"sampler", "euler_a"}}), sample_defaults()).sampler, "euler_a");
    EXPECT_EQ(without_alias(filled_from(read({{"sampler", "euler_a"}}), sample_defaults())).eta, 1);
}

// A key means another thing to another sampler.
TEST(SampleOptions, AKeyGoesWithTheSamplerThatItWasNamedFor) {
    const auto resolved = [](const Json& given, const Json& fallback) {
        return resolve_sampling(read(given), read(fallback), schedule_of("cosine"));
    };
    EXPECT_EQ(resolved({{"sampler", "dpmpp_2m"}}, {{"sampler", "ddim"}, {"eta", 0.5}}).eta, 0);
    EXPECT_EQ(resolved({{"sampler", "ddim"}}, {{"sampler", "ddim"}, {"eta", 0.5}}).eta, 0.5);
    EXPECT_EQ(resolved({{"sampler", "ancestral"}}, {{"sampler", "ddim"}, {"variance", "fixed_large"}}).variance,
              VarianceType::fixed_large)
        << "ddim has none: it is the model's";
}

// Where two layers say one thing in two ways, the upper one holds.
TEST(SampleOptions, AnUpperLayerReplacesTheOtherWayOfSayingIt) {
    const auto resolved = [](const Json& given, const Json& fallback) {
        return resolve_sampling(read(given), read(fallback), schedule_of("cosine"));
    };
    const Json list = {{"timesteps", {999, 850, 5}}}, steps = {{"steps", 20}, {"timestep_spacing", "trailing"}};
    EXPECT_EQ(resolved(list, steps).steps(), 3);
    EXPECT_EQ(resolved(list, steps).levels[1].t, 850);
    EXPECT_EQ(resolved(Json::object(), list).steps(), 3);
    EXPECT_EQ(resolved({{"steps", 20}}, list).steps(), 20);
    EXPECT_EQ(resolved({{"timestep_spacing", "karras"}}, list).steps(), 1000);
    EXPECT_EQ(resolved({{"sampler", "unipc"}}, list).steps(), 3) << "the list is the model's";

    const Json threshold = {{"threshold_ratio", 0.9}, {"threshold_max", 2}}, clip = {{"clip", false}};
    EXPECT_FALSE(resolved(clip, threshold).thresholding.has_value());
    EXPECT_FALSE(resolved({{"clip_range", 2}}, threshold).thresholding.has_value());
    ASSERT_TRUE(resolved(threshold, clip).thresholding.has_value());
    EXPECT_EQ(resolved(threshold, clip).thresholding->max, 2);
    EXPECT_EQ(resolved({{"threshold_max", 3}}, threshold).thresholding->max, 3);
    EXPECT_EQ(resolved({{"threshold_ratio", 0.9}}, clip).thresholding->max, std::numeric_limits<double>::infinity());
    EXPECT_EQ(resolved(Json::object(), {{"threshold_ratio", 0.9}, {"clip", true}}).thresholding->ratio, 0.9);
}

TEST(SampleOptions, WhatWouldHaveNoEffectIsRefused) {
    const auto refusal = [](const Json& given, const Json& fallback = Json::object()) {
        return error_of([&] { resolve_sampling(read(given), read(fallback), schedule_of("cosine")); });
    };
    EXPECT_SAYS(refusal({{"timesteps", {999, 5}}, {"steps", 2}}),
                "sample.timesteps: the list says which t are kept; leave it or sample.steps");
    EXPECT_SAYS(refusal({{"timesteps", {999, 5}}, {"rho", 3}}), "leave it or sample.rho out");
    EXPECT_SAYS(refusal({{"threshold_ratio", 0.9}, {"clip", false}}),
                "sample.threshold_ratio: thresholding takes the place of clipping");
    EXPECT_SAYS(refusal({{"threshold_ratio", 0.9}, {"clip_range", 2}}), "leave it or sample.clip_range out");
    EXPECT_SAYS(refusal({{"threshold_max", 2}}), "sample.threshold_max: nothing is thresholded without sample.threshold_ratio");
    EXPECT_SAYS(refusal({{"sampler", "heun"}, {"s_noise", 1.1}}), "sample.s_noise: no noise is added without sample.s_churn");
    EXPECT_SAYS(refusal({{"sampler", "heun"}, {"s_churn", 1}, {"s_tmin", 2}, {"s_tmax", 1}}),
                "sample.s_tmin: 2 is above sample.s_tmax, 1");
    EXPECT_SAYS(refusal({{"rho", 3}}), "sample.rho: only karras spacing has it");
    EXPECT_EQ(refusal({{"s_noise", 1.1}}, {{"sampler", "heun"}, {"s_churn", 1}}), "no error");
    EXPECT_EQ(refusal({{"sampler", "heun"}, {"s_noise", 1}, {"s_churn", 0}}), "no error") << "all of it written out";
    EXPECT_EQ(refusal({{"sampler", "ddim"}}, {{"sampler", "heun"}, {"s_tmin", 2}, {"s_tmax", 1}}), "no error")
        << "ddim looks at neither";
    // A notice, where it is the steps that leave nothing to do.
    EXPECT_SAYS(resolve_sampling(read({{"sampler", "heun"}, {"s_churn", 5}, {"s_tmin", 1e6}}), {}, schedule_of("cosine")).notice,
                "no noise is added");
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
                    for (const std::string& spacing : timestep_spacing_names()) {
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

TEST(ResolveSampling, AListBeginsWhereNothingOfThePictureIsLeft) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const Json early = {{"timesteps", {900, 400, 0}}}, late = {{"timesteps", {950, 400, 0}}};
    const std::string refusal = error_of([&] { resolve_sampling(read(early), {}, schedule); });
    EXPECT_SAYS(refusal, "sample.timesteps: the list of 3 timesteps begins at t = 900, where √ᾱ = 0.1");
    EXPECT_SAYS(refusal, "begin nearer to 999");
    EXPECT_EQ(resolve_sampling(read(late), {}, schedule).levels.front().t, 950);
    const ResolvedSampling settled = resolve_sampling({}, read(early), schedule);
    EXPECT_EQ(settled.levels.front().t, 999);
    EXPECT_EQ(settled.steps(), 3);
    EXPECT_SAYS(settled.notice, "taking trailing spacing");
    EXPECT_SAYS(error_of([&] {
                    resolve_sampling(read({{"timesteps", {1000, 0}}}), {}, schedule);
                }),
                "sample.timesteps: 1000 is beyond the schedule; expected 0 … 999");
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
