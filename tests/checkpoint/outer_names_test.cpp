#include "checkpoint/outer_names.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/torch_save.h"
#include "ddpm/checkpoint/convert.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "nn/networks.h"
#include "support/captured_log.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

const UNet2D& network() {
    static const std::shared_ptr<UNet2D> unet = [] {
        UNetConfig config = test::plain_network();
        config.sample_size = {8, 8};
        auto made = std::make_shared<UNet2D>(config);
        initialize_weights(*made, 3);
        return made;
    }();
    return *unet;
}

NamedTensors under(const std::string& prefix, double factor = 1) {
    NamedTensors tensors;
    for (const auto& [name, tensor] : named_tensors(network())) tensors.emplace_back(prefix + name, tensor.detach() * factor);
    return tensors;
}

NamedTensors both(NamedTensors one, const NamedTensors& other) {
    one.insert(one.end(), other.begin(), other.end());
    return one;
}

// The ways in which a folder holds weights.
enum class Way { safetensors, variant, sharded, bin, sharded_bin, wrapped_bin };

// A folder of diffusers with these tensors for weights.
void write_folder(const fs::path& folder, const NamedTensors& tensors, Way way = Way::safetensors) {
    write_pipeline(folder, network().config(), to_scheduler({}), {});
    const fs::path unet = folder / "unet";
    fs::remove(unet / "diffusion_pytorch_model.safetensors");
    const std::string stem = "diffusion_pytorch_model";
    switch (way) {
        case Way::safetensors:
            return write_safetensors(unet / (stem + ".safetensors"), tensors);
        case Way::variant:
            return write_safetensors(unet / (stem + ".fp16.safetensors"), tensors);
        case Way::bin:
            return test::torch_save(unet / (stem + ".bin"), tensors);
        case Way::wrapped_bin:
            return test::torch_save(unet / (stem + ".bin"), tensors, "state_dict");
        case Way::sharded:
        case Way::sharded_bin: {
            Json index = {{"weight_map", Json::object()}};
            const auto middle = static_cast<std::ptrdiff_t>(tensors.size() / 2);
            for (int part = 0; part < 2; ++part) {
                const std::string kind = way == Way::sharded ? ".safetensors" : ".bin", file = std::to_string(part) + kind;
                const NamedTensors some(tensors.begin() + part * middle, part == 0 ? tensors.begin() + middle : tensors.end());
                way == Way::sharded ? write_safetensors(unet / file, some) : test::torch_save(unet / file, some);
                for (const auto& [name, tensor] : some) index["weight_map"][name] = file;
            }
            return write_file(unet / (stem + (way == Way::sharded ? ".safetensors" : ".bin") + ".index.json"), dump_json(index));
        }
    }
}

void expect_network(const Pipeline& pipeline, double factor = 1) {
    const auto loaded = load_unet(pipeline);
    for (const auto& [name, tensor] : named_tensors(*loaded))
        EXPECT_TRUE(at::equal(tensor, network().named_parameters()[name] * factor)) << name;
}

TEST(OuterNames, AreTakenAway) {
    const auto apart = [](const std::string& name) {
        const auto outer = checkpoint::take_apart(name);
        return outer ? outer->prefix + "|" + outer->name : "nothing";
    };
    EXPECT_EQ(apart("conv_in.weight"), "|conv_in.weight");
    EXPECT_EQ(apart("module._orig_mod.up_blocks.0.resnets.1.conv1.bias"), "module._orig_mod.|up_blocks.0.resnets.1.conv1.bias");
    EXPECT_EQ(apart("down_blocks.0._orig_mod.resnets.0._checkpoint_wrapped_module.norm1.weight"),
              "|down_blocks.0.resnets.0.norm1.weight");
    EXPECT_EQ(apart("state_dict.model.time_embedding.linear_1.weight"), "state_dict.model.|time_embedding.linear_1.weight");
    EXPECT_EQ(apart("n_averaged"), "nothing");
    EXPECT_EQ(apart("xconv_in.weight"), "nothing") << "parts are whole words";
}

// Every prefix in every kind of file gives the same network, and is named.
TEST(OuterNames, OfAFoldersWeightsDoNotMatter) {
    for (const std::string prefix : {"", "_orig_mod.", "module.", "model.", "unet.", "module._orig_mod.", "_orig_mod.module.",
                                     "model.unet.", "ema_model.", "ema_model.module.", "state_dict.model.",
                                     "model.model._orig_mod.", "_fsdp_wrapped_module.", "net.0.", "averaged_model.module."})
        for (const Way way : {Way::safetensors, Way::variant, Way::sharded, Way::bin, Way::sharded_bin, Way::wrapped_bin}) {
            SCOPED_TRACE(prefix + " " + std::to_string(static_cast<int>(way)));
            const TempFolder folder;
            write_folder(folder.path(), under(prefix), way);
            const CapturedLog log;
            expect_network(open_pipeline(folder.path()));
            expect_network(open_pipeline(folder / "unet"));
            const std::string whole = (way == Way::wrapped_bin ? "state_dict." : "") + prefix;
            const std::string said = "its network is under \"" + whole.substr(0, whole.empty() ? 0 : whole.size() - 1) + "\"";
            EXPECT_EQ(log.text().find(said) != std::string::npos, !whole.empty()) << log.text();
        }
}

TEST(OuterNames, WrappersOfSingleBlocksDoNotMatterEither) {
    NamedTensors tensors;
    for (const auto& [name, tensor] : under("module.")) {
        std::string wrapped = name;
        if (const size_t at = name.find("down_blocks.0."); at != std::string::npos) wrapped.insert(at + 14, "_orig_mod.");
        if (const size_t at = name.find("mid_block."); at != std::string::npos) wrapped.insert(at + 10, "_fsdp_wrapped_module.");
        tensors.emplace_back(wrapped, tensor);
    }
    const TempFolder folder;
    write_folder(folder.path(), tensors);
    expect_network(open_pipeline(folder.path()));
}

TEST(OuterNames, OldNamesOfAttentionUnderAPrefixAreKnown) {
    NamedTensors tensors;
    for (auto [name, tensor] : under("module.")) {
        for (const auto& [now, old] : {std::pair{".to_q.", ".query."}, std::pair{".to_out.0.", ".proj_attn."}})
            if (const size_t at = name.find(now); at != std::string::npos) name.replace(at, std::string(now).size(), old);
        tensors.emplace_back(name, tensor);
    }
    const TempFolder folder;
    write_folder(folder.path(), tensors);
    expect_network(open_pipeline(folder.path()));
}

TEST(OuterNames, WhatLiesBesideTheNetworkIsLeftAsideAndSaid) {
    const NamedTensors counters{{"n_averaged", at::ones({1})}, {"optimizer.state.0.exp_avg", at::ones({2})}};
    const TempFolder folder;
    write_folder(folder.path(), both(under("module."), counters));
    const CapturedLog log;
    const Pipeline pipeline = open_pipeline(folder.path());
    expect_network(pipeline);
    EXPECT_EQ(pipeline.weights->items().size(), under("").size());
    EXPECT_SAYS(log.text(), "2 tensors beside it (n_averaged, …) left aside");
    // With nothing before the names they may all be meant for the network.
    write_folder(folder.path(), both(under(""), counters));
    EXPECT_SAYS(error_of([&] { load_unet(open_pipeline(folder.path())); }), "n_averaged is not of this network");
    // Halves of an autoencoder are no U-Net.
    const NamedTensors vae{{"vae.encoder.conv_in.weight", at::ones({1})},
                           {"vae.encoder.down_blocks.0.resnets.0.norm1.weight", at::ones({1})},
                           {"vae.decoder.up_blocks.0.resnets.0.norm1.weight", at::ones({1})}};
    write_folder(folder.path(), both(under("unet."), vae));
    expect_network(open_pipeline(folder.path()));
}

TEST(OuterNames, OfSeveralNetworksOneIsNamed) {
    for (const auto& [one, other] :
         {std::pair<std::string, std::string>{"ema_model.", "online_model."}, {"model.", "model.ema."}, {"", "module."}}) {
        const TempFolder folder;
        write_folder(folder.path(), both(under(one), under(other, 2)));
        const auto key = [](const std::string& prefix) {
            return prefix.empty() ? std::string("none") : prefix.substr(0, prefix.size() - 1);
        };
        EXPECT_SAYS(error_of([&] { open_pipeline(folder.path()); }),
                    "holds 2 networks, under " + checkpoint::keys_text({one, other}));
        expect_network(open_pipeline(folder.path(), {.key = key(one)}));
        expect_network(open_pipeline(folder.path(), {.key = key(other)}), 2);
        expect_network(open_pipeline(folder.path(), {.key = other}), 2);
        ConvertRequest request;
        request.key = key(other);
        EXPECT_TRUE(at::equal(read_model(folder.path(), request).weights.front().second, under("", 2).front().second));
        EXPECT_SAYS(error_of([&] { open_pipeline(folder.path(), {.key = "other"}); }), "--key: holds no network under \"other\"");
    }
}

TEST(OuterNames, StandInEveryRefusal) {
    const TempFolder folder;
    NamedTensors tensors = under("module._orig_mod.");
    tensors.pop_back();
    write_folder(folder.path(), tensors);
    EXPECT_SAYS(error_of([&] { load_unet(open_pipeline(folder.path())); }),
                "under \"module._orig_mod\": does not fit the network: " + under("").back().first + " is missing");
    EXPECT_SAYS(error_of([&] { open_pipeline(folder.path(), {.key = "module"}); }),
                "--key: holds no network under \"module\", but under \"module._orig_mod\"");
    write_folder(folder.path(), under(""));
    EXPECT_SAYS(error_of([&] { open_pipeline(folder.path(), {.key = "module"}); }), "leave --key out");
    // The same tensor with and without a wrapper.
    NamedTensors twice = under("module.");
    twice.emplace_back("module.mid_block._orig_mod.resnets.0.norm1.weight", at::ones({16}));
    write_folder(folder.path(), twice);
    EXPECT_SAYS(error_of([&] { open_pipeline(folder.path()); }), "is there twice");
}

// A file of weights alone, by its path.
TEST(OuterNames, OfWeightsAloneAreNamedAndTakenWhereTheConfigurationIsBeside) {
    for (const std::string prefix : {"", "module.", "_orig_mod.module."}) {
        const TempFolder folder;
        const std::string known = prefix.empty() ? "" : " under " + checkpoint::keys_text({prefix});
        test::torch_save(folder / "w.pt", under(prefix));
        write_safetensors(folder / "w.safetensors", under(prefix));
        for (const char* file : {"w.pt", "w.safetensors"})
            EXPECT_SAYS(error_of([&] { read_model(folder / file, {}); }),
                        "a U-Net of diffusers" + known + ", but weights alone don't say which");
        ConvertRequest request;
        request.key = "module";
        EXPECT_SAYS(error_of([&] { read_model(folder / "w.pt", request); }), "a U-Net of diffusers" + known);
        for (const Way way : {Way::safetensors, Way::bin}) {
            write_folder(folder / "p", under(prefix), way);
            const fs::path file =
                folder / "p/unet" / (way == Way::bin ? "diffusion_pytorch_model.bin" : "diffusion_pytorch_model.safetensors");
            EXPECT_TRUE(at::equal(read_model(file, {}).weights.front().second, under("").front().second));
            EXPECT_EQ(read_model(file, {}).scheduler.beta_schedule, "squaredcos_cap_v2") << "the scheduler beside";
            fs::remove_all(folder / "p");
        }
    }
}

TEST(OuterNames, OfLightningAndLucidrainsAreNamed) {
    const TempFolder folder;
    const at::Tensor one = at::ones({1});
    test::torch_save(folder / "a.ckpt", both(under("state_dict.model."), {{"optimizer_states.0.state.0.exp_avg", one}}));
    EXPECT_SAYS(error_of([&] { read_model(folder / "a.ckpt", {}); }),
                "a checkpoint of PyTorch Lightning: a U-Net of diffusers under \"state_dict.model\", but weights alone");
    test::torch_save(folder / "b.ckpt", {{"state_dict.net.0.weight", one}, {"optimizer_states.0.state.0.exp_avg", one}});
    EXPECT_SAYS(error_of([&] { read_model(folder / "b.ckpt", {}); }), "a checkpoint of PyTorch Lightning: its names (");
    NamedTensors lucidrains{{"ema.initted", one}, {"ema.step", one}, {"model.betas", one}};
    for (const std::string outer : {"model.model.", "ema.online_model.model.", "ema.ema_model.model."})
        for (const char* name : {"init_conv.weight", "downs.0.0.block1.proj.weight"}) lucidrains.emplace_back(outer + name, one);
    test::torch_save(folder / "c.pt", lucidrains);
    EXPECT_SAYS(error_of([&] { read_model(folder / "c.pt", {}); }),
                "a checkpoint of lucidrains' trainer: lucidrains' denoising-diffusion-pytorch under \"ema.ema_model.model\", "
                "\"ema.online_model.model\", \"model.model\"; its 7×7 first convolution");
    // Their trainer around a network of diffusers.
    write_folder(folder / "p", {}, Way::safetensors);
    fs::remove(folder / "p/unet/diffusion_pytorch_model.safetensors");
    NamedTensors trainer{{"ema.initted", one}, {"model.betas", one}};
    for (const std::string outer : {"model.model.", "ema.online_model.model.", "ema.ema_model.model."})
        trainer = both(trainer, under(outer));
    test::torch_save(folder / "p/unet/diffusion_pytorch_model.bin", trainer);
    EXPECT_SAYS(error_of([&] { open_pipeline(folder / "p"); }),
                "holds 3 networks, under \"ema.ema_model.model\", \"ema.online_model.model\", \"model.model\"");
    expect_network(open_pipeline(folder / "p", {.key = "ema.ema_model.model"}));
}

// The folders that accelerate writes while a training script of diffusers runs.
class Accelerate : public testing::Test {
protected:
    void write(const fs::path& part, double factor) {
        write_folder(temp_ / "w", under("", factor));
        make_folders(folder().parent_path());
        make_folders(folder());
        fs::rename(temp_ / "w/unet", folder() / part);
        if (part == "unet_ema") {  // as EMAModel.save_pretrained
            Json config = read_json_file(folder() / part / "config.json");
            config.update(Json{{"decay", 0.9999},
                               {"min_decay", 0.0},
                               {"optimization_step", 500},
                               {"update_after_step", 0},
                               {"use_ema_warmup", true},
                               {"inv_gamma", 1.0},
                               {"power", 0.75}});
            write_file(folder() / part / "config.json", dump_json(config));
        }
        fs::remove_all(temp_ / "w");
    }
    fs::path folder() const { return temp_ / "out/checkpoint-500"; }
    const TempFolder temp_;
};

TEST_F(Accelerate, TheAverageIsTakenWhereBothAreThere) {
    write("unet", 1);
    write("unet_ema", 2);
    write_file(folder() / "optimizer.bin", "moments");
    write_file(folder() / "random_states_0.pkl", "states");
    const CapturedLog log;
    ASSERT_TRUE(is_pipeline(folder()));
    expect_network(open_pipeline(folder()), 2);
    EXPECT_SAYS(log.text(), "checkpoint-500: taking the averaged weights in unet_ema");
    EXPECT_EQ(log.text().find("unknown key"), std::string::npos) << log.text();
    expect_network(open_pipeline(folder(), {.raw = true}), 1);
    expect_network(open_pipeline(folder() / "unet"), 1);
    expect_network(open_pipeline(folder() / "unet_ema"), 2);
    expect_network(open_pipeline(folder() / "unet_ema/"), 2);
}

TEST_F(Accelerate, OneOfTheTwoIsEnough) {
    write("unet_ema", 2);
    ASSERT_TRUE(is_pipeline(folder()));
    EXPECT_FALSE(has_raw_beside_average(folder()));
    expect_network(open_pipeline(folder()), 2);
    fs::remove_all(folder());
    write("unet", 1);
    expect_network(open_pipeline(folder()), 1);
}

TEST_F(Accelerate, TheSchedulerIsThatOfTheWholePipelineAbove) {
    write("unet", 1);
    write("unet_ema", 2);
    EXPECT_FALSE(open_pipeline(folder()).has_scheduler);
    write_pipeline(folder().parent_path(), network().config(), to_scheduler({}), under("", 3));
    for (const char* part : {"", "unet", "unet_ema", "unet/"}) {
        const Pipeline pipeline = open_pipeline(*part == 0 ? folder() : folder() / part);
        EXPECT_TRUE(pipeline.has_scheduler) << part;
        EXPECT_EQ(pipeline.scheduler.beta_schedule, "squaredcos_cap_v2") << part;
    }
    expect_network(open_pipeline(folder().parent_path()), 3);
    // A pipeline says itself which network is its own.
    fs::rename(folder() / "unet_ema", folder().parent_path() / "unet_ema");
    EXPECT_FALSE(has_raw_beside_average(folder().parent_path()));
    expect_network(open_pipeline(folder().parent_path()), 3);
}

}  // namespace
}  // namespace ddpm
