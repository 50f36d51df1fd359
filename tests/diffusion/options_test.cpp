#include "ddpm/diffusion/options.h"

#include <gtest/gtest.h>

#include "ddpm/diffusion/betas.h"
#include "ddpm/diffusion/posterior.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"
#include "support/errors.h"

namespace ddpm {
namespace {

std::string refusal(const DiffusionOptions& options) {
    return error_of([&] { check(options); });
}

TEST(DiffusionOptions, DefaultsAreSound) {
    EXPECT_EQ(refusal(DiffusionOptions{}), "no error");
    const Json written = diffusion_fields().write(DiffusionOptions{});
    EXPECT_EQ(written.at("schedule"), "cosine");
    EXPECT_EQ(written.at("timesteps"), 1000);
    EXPECT_EQ(written.at("prediction_type"), "epsilon");
    EXPECT_EQ(written.at("variance_type"), "fixed_small");
}

TEST(DiffusionOptions, ReadsAndRefusesValues) {
    DiffusionOptions options;
    diffusion_fields().read(options, Json{{"schedule", "sigmoid"}, {"timesteps", 4000}}, "diffusion");
    EXPECT_EQ(options.schedule, "sigmoid");
    EXPECT_EQ(options.timesteps, 4000);
    for (const Json& wrong :
         {Json{{"schedule", "cosin"}}, Json{{"timesteps", 1}}, Json{{"timesteps", 1000001}}, Json{{"prediction_type", "eps"}},
          Json{{"variance_type", "learned"}}, Json{{"beta_end", 0.0}}, Json{{"beta_end", 1.5}}, Json{{"betas", 3}}})
        EXPECT_THROW(diffusion_fields().read(options, wrong, "diffusion"), Error) << wrong;
}

TEST(DiffusionOptions, RescaledLinearNeedsMoreThanTwentySteps) {
    DiffusionOptions options;
    options.schedule = "linear";
    options.timesteps = 20;
    EXPECT_NE(refusal(options).find("diffusion.timesteps: 20"), std::string::npos) << refusal(options);
    options.timesteps = 21;
    EXPECT_EQ(refusal(options), "no error");
    EXPECT_NO_THROW(make_schedule(options));
    options.timesteps = 2;
    options.rescale = false;
    EXPECT_EQ(refusal(options), "no error");
    options.rescale = true;
    options.schedule = "cosine";
    EXPECT_EQ(refusal(options), "no error");
}

TEST(DiffusionOptions, BetasThatDoNotFitThemselvesToTLimitT) {
    DiffusionOptions options;
    options.timesteps = 1000000;
    for (const char* fitting : {"cosine", "sigmoid", "linear"}) {
        options.schedule = fitting;
        EXPECT_EQ(refusal(options), "no error");
    }
    options.rescale = false;
    EXPECT_NE(refusal(options).find("diffusion.timesteps: 1000000 steps are too many"), std::string::npos);
    options.schedule = "scaled_linear";
    EXPECT_NE(refusal(options).find("diffusion.timesteps: 1000000 steps are too many"), std::string::npos);
    options.timesteps = 10000;
    EXPECT_EQ(refusal(options), "no error");
}

TEST(DiffusionOptions, ZeroTerminalSnrDoesNotGoWithEpsilon) {
    DiffusionOptions options;
    options.zero_terminal_snr = true;
    EXPECT_NE(refusal(options).find("diffusion.prediction_type"), std::string::npos);
    EXPECT_NE(refusal(options).find("diffusion.zero_terminal_snr"), std::string::npos);
    options.prediction_type = "v_prediction";
    EXPECT_EQ(refusal(options), "no error");
    options.prediction_type = "sample";
    EXPECT_EQ(refusal(options), "no error");
}

TEST(DiffusionOptions, BetasMustRiseAndStayBelowOne) {
    DiffusionOptions options;
    options.schedule = "scaled_linear";
    options.beta_end = 1;
    EXPECT_NE(refusal(options).find("diffusion.beta_end"), std::string::npos);
    options.beta_end = 1e-5;
    EXPECT_NE(refusal(options).find("diffusion.beta_start"), std::string::npos);
    options.schedule = "cosine";
    EXPECT_EQ(refusal(options), "no error");
}

TEST(DiffusionOptions, EveryNameIsKnownEverywhere) {
    for (const std::string& name : noise_schedule_names()) {
        DiffusionOptions options;
        options.schedule = name;
        EXPECT_EQ(make_schedule(options).size(), 1000);
    }
    for (const std::string& name : prediction_type_names()) EXPECT_NO_THROW(parse_prediction_type(name));
    for (const std::string& name : variance_type_names()) EXPECT_NO_THROW(parse_variance_type(name));
    EXPECT_THROW(parse_prediction_type("eps"), Error);
    EXPECT_THROW(parse_variance_type("learned"), Error);
}

}  // namespace
}  // namespace ddpm
