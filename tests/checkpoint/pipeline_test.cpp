#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/init.h"
#include "nn/networks.h"
#include "support/captured_log.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

SchedulerConfig scheduler(const char* text) { return scheduler_from_json(parse_json(text, "test"), "s.json"); }

// The last ᾱ of each rule at T = 1000, from shared definitions: Ho et al.'s linear 4.03583e-5, cosine 2.42877e-9,
// scaled linear 7.33412e-4, diffusers' sigmoid 3.96818e-5.
TEST(Scheduler, MakesTheScheduleOfItsName) {
    const auto last = [](const char* text) { return make_schedule(scheduler(text)).alphas_cumprod().back(); };
    EXPECT_NEAR(last("{}"), 4.03583e-5, 1e-10);
    EXPECT_NEAR(last(R"({"beta_schedule": "squaredcos_cap_v2"})"), 2.42877e-9, 1e-14);
    EXPECT_NEAR(last(R"({"beta_schedule": "scaled_linear"})"), 7.33412e-4, 1e-9);
    EXPECT_NEAR(last(R"({"beta_schedule": "sigmoid"})"), 3.96818e-5, 1e-10);
    EXPECT_EQ(last(R"({"rescale_betas_zero_snr": true, "prediction_type": "v_prediction"})"), 0);
    EXPECT_NEAR(last(R"({"num_train_timesteps": 2, "trained_betas": [0.5, 0.5]})"), 0.25, 1e-15);
}

// Warns of numbers that no training leaves, wherever they are, and not of sound ones.
TEST(CheckWeights, TellsOfNumbersThatNoTrainedNetworkHas) {
    const float infinity = std::numeric_limits<float>::infinity();
    const auto said = [](float value, const at::TensorOptions& options = {}) {
        const CapturedLog log;
        check_weights({{"a", at::ones({3})}, {"empty", at::zeros({0})}, {"b", at::tensor({0.5f, value}).to(options)}},
                      "w.safetensors");
        return log.text();
    };
    for (const float value : {0.0f, 1e-30f, -500.0f, 65504.0f}) EXPECT_EQ(said(value), "") << value;
    for (const float value : {7e4f, -7e4f, 1e5f, 1e10f, -1e30f, 3e38f})
        EXPECT_SAYS(said(value), "w.safetensors: b holds values as large as") << value;
    EXPECT_SAYS(said(1e30f), "as large as 1e+30");
    EXPECT_SAYS(said(1e30f, at::kBFloat16), "b holds values as large as");
    for (const float value : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()})
        EXPECT_SAYS(error_of([&] { said(value); }), "w.safetensors: b holds values that are not finite");
}

// Each of our schedules, written for diffusers and read back, is the same chain.
TEST(Scheduler, CarriesEveryScheduleOfOurs) {
    for (const char* name : {"linear", "cosine", "sigmoid", "scaled_linear"})
        for (const int64_t T : {1000, 100})
            for (const bool zero_snr : {false, true})
                for (const bool rescale : {true, false}) {
                    DiffusionOptions options;
                    options.schedule = name;
                    options.timesteps = T;
                    options.zero_terminal_snr = zero_snr;
                    options.rescale = rescale;
                    options.prediction_type = "v_prediction";
                    const Json json = scheduler_to_json(to_scheduler(options));
                    const SchedulerConfig back = scheduler_from_json(json, "test");
                    const NoiseSchedule ours = make_schedule(options), theirs = make_schedule(back);
                    ASSERT_EQ(ours.size(), theirs.size());
                    for (int64_t t = 0; t < T; ++t)
                        ASSERT_NEAR(ours.alphas_cumprod()[t], theirs.alphas_cumprod()[t], 1e-12 * ours.alphas_cumprod()[t])
                            << name << " " << t;
                    EXPECT_EQ(back.prediction_type, "v_prediction");
                    EXPECT_EQ(back.trained_betas.has_value(), std::string(name) == "sigmoid");
                }
}

TEST(Scheduler, WritesTheKeysOfItsClassSorted) {
    const Json json = scheduler_to_json({});
    std::vector<std::string> keys;
    for (const auto& item : json.items()) keys.push_back(item.key());
    // sorted(DDPMScheduler().config) of diffusers 0.42.1
    EXPECT_EQ(keys,
              (std::vector<std::string>{"_class_name", "_diffusers_version", "beta_end", "beta_schedule", "beta_start",
                                        "clip_sample", "clip_sample_range", "dynamic_thresholding_ratio", "num_train_timesteps",
                                        "prediction_type", "rescale_betas_zero_snr", "sample_max_value", "steps_offset",
                                        "thresholding", "timestep_spacing", "trained_betas", "variance_type"}));
    EXPECT_EQ(variance_type(scheduler(R"({"variance_type": "fixed_small_log"})")), VarianceType::fixed_small);
    const SchedulerConfig ddim = scheduler(R"({"_class_name": "DDIMScheduler", "set_alpha_to_one": true, "new": 1})");
    EXPECT_TRUE(scheduler_to_json(ddim).contains("set_alpha_to_one"));
    EXPECT_FALSE(scheduler_to_json(ddim).contains("variance_type"));
}

TEST(Scheduler, RefusesByName) {
    const auto refuse = [](const char* text) { return error_of([&] { scheduler(text); }); };
    EXPECT_SAYS(refuse(R"({"_class_name": "PNDMScheduler"})"), "s.json: \"PNDMScheduler\" is not supported");
    EXPECT_SAYS(refuse(R"({"variance_type": "fixed_large_log"})"), "variance_type: got \"fixed_large_log\"");
    EXPECT_SAYS(refuse(R"({"variance_type": "learned"})"), "variance_type: got \"learned\"");
    EXPECT_SAYS(refuse(R"({"beta_schedule": "laplace"})"), "laplace");
    EXPECT_SAYS(refuse(R"({"thresholding": true, "sample_max_value": 0.5})"), "sample_max_value: got 0.5, expected at least 1");
    EXPECT_SAYS(refuse(R"({"thresholding": true, "dynamic_thresholding_ratio": 0})"), "dynamic_thresholding_ratio: got 0");
    EXPECT_SAYS(refuse(R"({"_class_name": "DDIMScheduler", "set_alpha_to_one": false})"), "set_alpha_to_one: false");
    EXPECT_SAYS(refuse(R"({"trained_betas": [0.1, 0.2]})"), "trained_betas: 2 betas");
}

TEST(Pipeline, RoundTripsInBothLayouts) {
    const TempFolder folder;
    UNet2D unet(test::plain_network());
    initialize_weights(unet, 3);
    write_pipeline(folder.path(), unet.config(), to_scheduler({}), named_tensors(unet));
    EXPECT_EQ(read_file(folder / "model_index.json", 1000), R"({
  "_class_name": "DDPMPipeline",
  "_diffusers_version": "0.42.1",
  "scheduler": [
    "diffusers",
    "DDPMScheduler"
  ],
  "unet": [
    "diffusers",
    "UNet2DModel"
  ]
}
)");
    const auto check = [&](const fs::path& path) {
        const Pipeline pipeline = open_pipeline(path);
        EXPECT_EQ(unet_to_json(pipeline.unet), unet_to_json(unet.config()));
        EXPECT_EQ(pipeline.scheduler.beta_schedule, "squaredcos_cap_v2");
        const auto loaded = load_unet(pipeline);
        EXPECT_FALSE(loaded->is_training());
        for (const auto& [name, tensor] : named_tensors(*loaded))
            EXPECT_TRUE(at::equal(tensor, unet.named_parameters()[name])) << name;
    };
    fs::remove(folder / "model_index.json");
    check(folder.path());

    const TempFolder root;  // as google/ddpm-cifar10-32
    fs::copy(folder / "unet", root.path(), fs::copy_options::recursive);
    fs::copy(folder / "scheduler" / "scheduler_config.json", root / "scheduler_config.json");
    check(root.path());

    fs::rename(root / "diffusion_pytorch_model.safetensors", root / "diffusion_pytorch_model.bin");
    check(root.path());  // what is in a file says what it is
    write_file(root / "diffusion_pytorch_model.bin", "weights");
    EXPECT_SAYS(error_of([&] { open_pipeline(root.path()); }), "is a file of text");
    fs::remove(root / "diffusion_pytorch_model.bin");
    EXPECT_SAYS(error_of([&] { open_pipeline(root.path()); }), "no weights, expected");
    fs::remove(root / "scheduler_config.json");
    EXPECT_SAYS(error_of([&] { open_pipeline(root.path()); }), "not a diffusers pipeline");
}

// A pipeline without a scheduler takes diffusers' defaults, linear betas and not our cosine.
TEST(Pipeline, OpensUNetsAlone) {
    const TempFolder folder;
    UNet2D unet(test::plain_network());
    initialize_weights(unet, 3);
    write_pipeline(folder.path(), unet.config(), to_scheduler({}), named_tensors(unet));
    const auto check = [&](const fs::path& path, const char* beta_schedule) {
        const Pipeline pipeline = open_pipeline(path);
        EXPECT_EQ(unet_to_json(pipeline.unet), unet_to_json(unet.config()));
        EXPECT_EQ(pipeline.scheduler.beta_schedule, beta_schedule);
        EXPECT_TRUE(at::equal(load_unet(pipeline)->parameters()[0], unet.parameters()[0]));
    };
    check(folder / "unet", "squaredcos_cap_v2");  // a whole pipeline's: the scheduler is beside it
    fs::rename(folder / "scheduler", folder / "aside");
    check(folder / "unet", "linear");
    check(folder.path(), "linear");

    const fs::path file = folder / "all.safetensors";
    write_pipeline_file(file, unet.config(), to_scheduler({}), named_tensors(unet));
    check(file, "squaredcos_cap_v2");
    write_safetensors(file, named_tensors(unet), {{"unet_config", unet_to_json(unet.config()).dump()}});
    check(file, "linear");
    const auto refused = [&](const SafetensorsMetadata& metadata) {
        write_safetensors(file, named_tensors(unet), metadata);
        return error_of([&] { open_pipeline(file); });
    };
    EXPECT_SAYS(refused({{"format", "pt"}}), "weights alone: its __metadata__ has no unet_config, so the network is unknown");
    EXPECT_SAYS(refused({{"unet_config", "{"}}), "all.safetensors: __metadata__.unet_config");
    EXPECT_SAYS(refused({{"unet_config", R"({"_class_name": "UNet2DConditionModel"})"}}),
                "_class_name is \"UNet2DConditionModel\"");
    write_file(folder / "unet" / "config.json", R"({"_class_name": "BertModel"})");
    EXPECT_SAYS(error_of([&] { open_pipeline(folder / "unet"); }), "config.json: _class_name is \"BertModel\"");
}

// float16 and bfloat16 are widened in every kind of file.
TEST(Pipeline, WidensHalfPrecision) {
    const TempFolder folder;
    UNet2D unet(test::plain_network());
    initialize_weights(unet, 3);
    for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
        NamedTensors narrow;
        for (const auto& [name, tensor] : named_tensors(unet)) narrow.emplace_back(name, tensor.detach().to(type));
        write_pipeline(folder.path(), unet.config(), to_scheduler({}), narrow);
        const auto loaded = load_unet(open_pipeline(folder.path()));
        for (const auto& [name, tensor] : named_tensors(*loaded)) {
            EXPECT_EQ(tensor.scalar_type(), at::kFloat);
            EXPECT_TRUE(at::equal(tensor, unet.named_parameters()[name].to(type).to(at::kFloat))) << name;
        }
    }
    // As save_pretrained(variant="fp16") names them.
    fs::rename(folder / "unet/diffusion_pytorch_model.safetensors", folder / "unet/diffusion_pytorch_model.fp16.safetensors");
    EXPECT_TRUE(load_unet(open_pipeline(folder.path())));
}

TEST(Pipeline, RefusesWeightsThatAreNotFinite) {
    const TempFolder folder;
    UNet2D unet(test::plain_network());
    initialize_weights(unet, 3);
    const at::NoGradGuard no_grad;
    unet.named_parameters()["conv_in.bias"][1] = std::numeric_limits<double>::quiet_NaN();
    write_pipeline(folder.path(), unet.config(), to_scheduler({}), named_tensors(unet));
    EXPECT_SAYS(error_of([&] { load_unet(open_pipeline(folder.path())); }),
                "diffusion_pytorch_model.safetensors: conv_in.bias holds values that are not finite");
}

}  // namespace
}  // namespace ddpm
