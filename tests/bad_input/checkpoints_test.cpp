#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::Parts;
using test::sound;

BadInput pipeline(const std::string& name, std::vector<std::string> words, const std::function<void(Parts&)>& change) {
    return {name, {"info", "p"}, std::move(words), [=](const fs::path& folder) {
                Parts parts = sound();
                change(parts);
                parts.write(folder / "p");
            }};
}

TEST(BadInput, TensorsOfACheckpoint) {
    std::string last;  // the last tensor of the buffer can go without leaving a gap
    uint64_t end = 0;
    for (const auto& item : sound().header.items())
        if (item.key() != "__metadata__" && item.value()["data_offsets"][1] > end) {
            last = item.key();
            end = item.value()["data_offsets"][1];
        }
    const auto entry = [](const char* dtype, std::vector<int64_t> shape, uint64_t begin, uint64_t bytes) {
        return Json{{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, begin + bytes}}};
    };
    const auto add = [=](Parts& parts, const std::string& tensor, const char* dtype, uint64_t bytes) {
        parts.header[tensor] = entry(dtype, {static_cast<int64_t>(bytes)}, end, bytes);
        parts.buffer += std::string(bytes, '\0');
    };
    const auto fill = [](Parts& parts, const std::string& number) {
        for (size_t i = 0; i < 4; ++i) parts.buffer[i] = number[i];
    };
    test::expect_refusals({
        pipeline("a missing tensor", {last + " is missing", "does not fit the network"},
                 [=](Parts& p) {
                     p.buffer.resize(p.header[last]["data_offsets"][0].get<size_t>());
                     p.header.erase(last);
                 }),
        pipeline("a tensor too many", {"extra.weight is not of this network"}, [=](Parts& p) { add(p, "extra.weight", "U8", 4); }),
        pipeline("a tensor of another name", {"conv_in.weight is missing", "conv_on.weight is not of this network"},
                 [](Parts& p) {
                     p.header["conv_on.weight"] = p.header["conv_in.weight"];
                     p.header.erase("conv_in.weight");
                 }),
        pipeline("a tensor of another shape", {"conv_in.weight has the shape [216]", "expected [8, 3, 3, 3]"},
                 [](Parts& p) { p.header["conv_in.weight"]["shape"] = Json::array({216}); }),
        pipeline("integers for weights", {"conv_in.weight has the dtype I32", "expected F32"},
                 [](Parts& p) { p.header["conv_in.weight"]["dtype"] = "I32"; }),
        pipeline("no tensors at all", {"does not fit the network", "0 numbers"},
                 [](Parts& p) { p.header = Json::object(), p.buffer.clear(); }),
        pipeline("NaN", {"not finite", "diverged"}, [=](Parts& p) { fill(p, std::string("\0\0\xc0\x7f", 4)); }),
        pipeline("infinity", {"not finite"}, [=](Parts& p) { fill(p, std::string("\0\0\x80\x7f", 4)); }),
        pipeline("weights cut off", {"copied whole"}, [](Parts& p) { p.buffer.resize(p.buffer.size() / 2); }),
        pipeline("a network of other widths", {"does not fit the network"},
                 [](Parts& p) { p.unet["block_out_channels"] = Json::array({16}); }),
        pipeline("a network of 10^11 weights", {"does not fit the network", "32400000000"},
                 [](Parts& p) { p.unet["block_out_channels"] = Json::array({60000}); }),
    });
}

TEST(BadInput, ConfigurationsOfACheckpoint) {
    const auto unet = [](const std::string& name, const char* key, const Json& value, std::vector<std::string> words) {
        words.emplace_back("unet/config.json");
        return pipeline(name, std::move(words), [=](Parts& p) { p.unet[key] = value; });
    };
    const auto scheduler = [](const std::string& name, const char* key, const Json& value, std::vector<std::string> words) {
        words.emplace_back("scheduler_config.json");
        return pipeline(name, std::move(words), [=](Parts& p) { p.scheduler[key] = value; });
    };
    test::expect_refusals({
        unet("a text for a number", "layers_per_block", "two", {"layers_per_block", "\"two\"", "integer"}),
        unet("a negative number", "layers_per_block", -1, {"layers_per_block", "-1"}),
        unet("no levels", "block_out_channels", Json::array(), {"block_out_channels"}),
        unet("a level of no channels", "block_out_channels", Json::array({0}), {"block_out_channels"}),
        unet("groups that do not divide", "norm_num_groups", 3, {"norm_num_groups"}),
        unet("more blocks than levels", "down_block_types", Json::array({"DownBlock2D", "DownBlock2D"}), {"down_block_types"}),
        unet("an unknown block", "down_block_types", Json::array({"CrossAttnDownBlock2D"}), {"CrossAttnDownBlock2D"}),
        unet("an unknown activation", "act_fn", "tanh", {"act_fn", "\"tanh\""}),
        unet("a size of three numbers", "sample_size", Json::array({8, 8, 8}), {"sample_size"}),
        unet("NaN as a text", "norm_eps", "NaN", {"norm_eps"}),
        scheduler("another scheduler", "_class_name", "PNDMScheduler", {"PNDMScheduler", "DDPMScheduler"}),
        scheduler("no timesteps", "num_train_timesteps", 0, {"num_train_timesteps", "got 0"}),
        scheduler("a beta above 1", "beta_end", 1.5, {"beta_end", "1.5"}),
        scheduler("an unknown schedule", "beta_schedule", "exp", {"beta_schedule", "\"exp\""}),
        scheduler("an unknown prediction", "prediction_type", "x0", {"prediction_type", "\"x0\""}),
        pipeline("thresholding below 1", {"scheduler_config.json", "sample_max_value", "0.5"},
                 [](Parts& p) {
                     p.scheduler.update({{"thresholding", true}, {"sample_max_value", 0.5}});
                 }),
        scheduler("fewer betas than timesteps", "trained_betas", Json::array({0.1, 0.2}), {"2 betas", "num_train_timesteps = 10"}),
        pipeline("another pipeline", {"model_index.json", "StableDiffusionPipeline"},
                 [](Parts& p) { p.model_index["_class_name"] = "StableDiffusionPipeline"; }),
        pipeline("a list for a configuration", {"unet/config.json", "object"}, [](Parts& p) { p.unet = Json::array(); }),
    });
}

TEST(BadInput, FilesOfACheckpoint) {
    const auto changed = [](const std::string& name, std::vector<std::string> words,
                            const std::function<void(const fs::path& p)>& change) {
        return BadInput{name, {"info", "p"}, std::move(words), [=](const fs::path& folder) {
                            sound().write(folder / "p");
                            change(folder / "p");
                        }};
    };
    const auto index = [&](const std::string& name, std::vector<std::string> words, const std::string& text) {
        words.emplace_back("safetensors.index.json");
        return changed(name, std::move(words), [=](const fs::path& p) {
            fs::rename(p / "unet/diffusion_pytorch_model.safetensors", p / "unet/part.safetensors");
            write_file(p / "unet/diffusion_pytorch_model.safetensors.index.json", text);
        });
    };
    test::expect_refusals({
        changed("no weights", {"unet", "no weights"},
                [](const fs::path& p) { fs::remove(p / "unet/diffusion_pytorch_model.safetensors"); }),
        changed("no network", {"p:", "diffusers pipeline"}, [](const fs::path& p) { fs::remove(p / "unet/config.json"); }),
        changed("an empty network", {"unet/config.json: is empty"},
                [](const fs::path& p) { write_file(p / "unet/config.json", ""); }),
        changed("half a network", {"unet/config.json", "not valid JSON"},
                [](const fs::path& p) { fs::resize_file(p / "unet/config.json", 40); }),
        changed("a folder for a file", {"no weights"},
                [](const fs::path& p) {
                    fs::remove(p / "unet/diffusion_pytorch_model.safetensors");
                    fs::create_directory(p / "unet/diffusion_pytorch_model.safetensors");
                }),
        changed("a page of HTML for weights", {"a page of HTML"},
                [](const fs::path& p) { write_file(p / "unet/diffusion_pytorch_model.safetensors", "<!DOCTYPE html>"); }),
        index("an index that is no JSON", {"not valid JSON"}, "{"),
        index("an index that is a list", {"weight_map"}, "[]"),
        index("an index without a map", {"weight_map"}, "{}"),
        index("a map to numbers", {"weight_map.a", "got 1"}, R"({"weight_map": {"a": 1}})"),
        index("a map out of the folder", {"\"../part.safetensors\"", "beside it"},
              R"({"weight_map": {"a": "../part.safetensors"}})"),
        index("a map without the tensors of its file", {"weight_map does not say so"},
              R"({"weight_map": {"conv_in.weight": "part.safetensors"}})"),
        index("the same tensor twice in a map", {"weight_map.a", "given twice"}, R"({"weight_map": {"a": "x", "a": "x"}})"),
        {"an index of a file that is not there",
         {"info", "p"},
         {"none.safetensors"},
         [](const fs::path& folder) {
             sound().write(folder / "p");
             fs::remove(folder / "p/unet/diffusion_pytorch_model.safetensors");
             write_file(folder / "p/unet/diffusion_pytorch_model.safetensors.index.json",
                        R"({"weight_map": {"a": "none.safetensors"}})");
         }},
        {"weights alone",
         {"sample", "--ckpt", "w.safetensors"},
         {"w.safetensors", "weights alone"},
         [](const fs::path& folder) {
             sound().write(folder / "p");
             fs::rename(folder / "p/unet/diffusion_pytorch_model.safetensors", folder / "w.safetensors");
         }},
        {"a run without a checkpoint",
         {"sample", "--ckpt", "r"},
         {"r"},
         [](const fs::path& folder) { fs::create_directories(folder / "r/checkpoints"); }},
    });
}

}  // namespace
}  // namespace ddpm
