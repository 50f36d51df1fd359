// What others call their networks, and what has become of the pictures and classes of a run.

#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::Parts;
using test::sound;

using Names = std::vector<std::string>;

// Gives the header each tensor once for every prefix; the numbers are shared by none, as the format wants it.
void put_under(Parts& parts, const Names& prefixes) {
    Json header = Json::object();
    std::string buffer;
    for (const std::string& prefix : prefixes)
        for (const auto& item : parts.header.items()) {
            if (item.key() == "__metadata__") continue;
            const uint64_t begin = item.value()["data_offsets"][0], end = item.value()["data_offsets"][1];
            Json entry = item.value();
            entry["data_offsets"] = {buffer.size(), buffer.size() + (end - begin)};
            buffer += parts.buffer.substr(begin, end - begin);
            header[prefix + item.key()] = entry;
        }
    parts.header = header;
    parts.buffer = buffer;
}

// A file of weights alone under these prefixes.
std::function<void(const fs::path&)> weights(const std::string& file, const Names& prefixes) {
    return [=](const fs::path& folder) {
        Parts parts = sound();
        put_under(parts, prefixes);
        const TempFolder whole;
        parts.write(whole.path());
        fs::copy_file(whole / "unet/diffusion_pytorch_model.safetensors", folder / file);
    };
}

// A file of torch.save whose tensors have one number each.
std::function<void(const fs::path&)> saved(const std::string& file, const Names& names) {
    return [=](const fs::path& folder) {
        std::string dictionary = "}";
        for (const std::string& name : names)
            dictionary +=
                test::pickle::entry(name, test::pickle::tensor(test::pickle::storage("FloatStorage", "0", 1), 0, {1}, {1}));
        write_file(folder / file, test::zip_archive({{"m/data.pkl", test::joined({"\x80\x02", dictionary, "."})},
                                                     {"m/data/0", std::string(4, '\0')}}));
    };
}

TEST(BadInput, NamesBeforeThoseOfANetwork) {
    const auto folder = [](const std::string& name, Names arguments, Names words, const std::function<void(Parts&)>& change) {
        return BadInput{name, std::move(arguments), std::move(words), [=](const fs::path& at) {
                            Parts parts = sound();
                            change(parts);
                            parts.write(at / "p");
                        }};
    };
    const auto under = [](const Names& prefixes) { return [=](Parts& parts) { put_under(parts, prefixes); }; };
    const Names unet{"conv_in.weight", "down_blocks.0.resnets.0.norm1.weight"},
        theirs{"init_conv.weight", "downs.0.0.block1.proj.weight"};
    const auto with = [](const std::string& prefix, Names names) {
        for (std::string& name : names) name = prefix + name;
        return names;
    };
    const auto join_names = [](Names one, const Names& other) {
        one.insert(one.end(), other.begin(), other.end());
        return one;
    };
    test::expect_refusals({
        folder("two networks", {"info", "p"}, {"holds 2 networks, under \"ema\", \"model\"", "--key"}, under({"model.", "ema."})),
        folder("two networks to verify", {"info", "--verify", "p"}, {"holds 2 networks, under \"ema\", \"model\"", "--key"},
               under({"model.", "ema."})),
        folder("two networks to draw from", {"sample", "--ckpt", "p"}, {"holds 2 networks, under \"ema_model\", \"online_model\""},
               under({"ema_model.", "online_model."})),
        folder("a network inside of another's name", {"info", "p"}, {"holds 2 networks, under \"model\", \"model.ema\""},
               under({"model.", "model.ema."})),
        folder("a network with and without a prefix", {"info", "p"}, {"holds 2 networks, under none, \"module\""},
               under({"", "module."})),
        folder("two networks to convert", {"convert", "p", "out"}, {"holds 2 networks", "--key"}, under({"model.", "ema."})),
        folder("a key that is not there", {"convert", "p", "out", "--key", "emma"},
               {"--key: holds no network under \"emma\", but under \"ema\", \"model\""}, under({"model.", "ema."})),
        folder("a key that is the beginning of one", {"convert", "p", "out", "--key", "module"},
               {"holds no network under \"module\", but under \"module._orig_mod\""}, under({"module._orig_mod."})),
        folder("a key where none is needed", {"convert", "p", "out", "--key", "module"}, {"leave --key out"}, under({""})),
        folder("a prefix and a tensor missing", {"info", "p", "--quiet"},
               {"under \"module\": does not fit the network: conv_in.weight is missing"},
               [](Parts& parts) {
                   put_under(parts, {"module."});
                   parts.header["other.weight"] = parts.header["module.conv_in.weight"];
                   parts.header.erase("module.conv_in.weight");
               }),
        folder("a prefix and another network", {"info", "p", "--quiet"}, {"under \"_orig_mod\": does not fit the network"},
               [](Parts& parts) {
                   put_under(parts, {"_orig_mod."});
                   parts.unet["block_out_channels"] = Json::array({16});
               }),
        {"weights alone under a prefix",
         {"convert", "w.safetensors", "out"},
         {"a U-Net of diffusers under \"module._orig_mod\", but weights alone"},
         weights("w.safetensors", {"module._orig_mod."})},
        {"weights alone under a prefix to draw from",
         {"sample", "--ckpt", "w.safetensors", "--quiet"},
         {"w.safetensors: weights alone, under \"module\""},
         weights("w.safetensors", {"module."})},
        {"weights alone by key",
         {"convert", "w.safetensors", "out", "--key", "module"},
         {"a U-Net of diffusers under \"module\""},
         weights("w.safetensors", {"module."})},
        {"Lightning's file",
         {"convert", "a.ckpt", "out"},
         {"a checkpoint of PyTorch Lightning: a U-Net of diffusers under \"state_dict.model\", but weights alone"},
         saved("a.ckpt", join_names(with("state_dict.model.", unet), {"optimizer_states.0.state.0.exp_avg"}))},
        {"Lightning's file of something else",
         {"convert", "a.ckpt", "out"},
         {"a checkpoint of PyTorch Lightning: its names (", "not those of a network that is known here"},
         saved("a.ckpt", {"state_dict.net.0.weight", "optimizer_states.0.state.0.exp_avg"})},
        {"lucidrains' trainer's file",
         {"convert", "model-10.pt", "out"},
         {"a checkpoint of lucidrains' trainer", "under \"ema.ema_model.model\", \"model.model\"", "7×7"},
         saved("model-10.pt", join_names(with("model.model.", theirs), with("ema.ema_model.model.", theirs)))},
        {"lucidrains' network, compiled",
         {"convert", "m.pt", "out"},
         {"lucidrains' denoising-diffusion-pytorch under \"_orig_mod\""},
         saved("m.pt", with("_orig_mod.", theirs))},
    });
}

TEST(BadInput, FoldersOfAccelerate) {
    const auto parts = [](const fs::path& folder, const Names& names, bool weights = true) {
        for (const std::string& name : names) {
            const TempFolder whole;
            sound().write(whole.path());
            fs::create_directories(folder);
            fs::copy(whole / "unet", folder / name, fs::copy_options::recursive);
            if (!weights) fs::remove(folder / name / "diffusion_pytorch_model.safetensors");
        }
    };
    test::expect_refusals({
        {"the folder above its checkpoints",
         {"sample", "--ckpt", "out"},
         {"out: holds checkpoints of accelerate, but is none; name one of them: out/checkpoint-1000, out/checkpoint-500"},
         [=](const fs::path& folder) {
             parts(folder / "out/checkpoint-500", {"unet", "unet_ema"});
             parts(folder / "out/checkpoint-1000", {"unet"});
         }},
        {"an average without weights",
         {"info", "checkpoint-5"},
         {"checkpoint-5/unet_ema: no weights"},
         [=](const fs::path& folder) {
             parts(folder / "checkpoint-5", {"unet"});
             parts(folder / "checkpoint-5", {"unet_ema"}, false);
         }},
        {"a model without a configuration",
         {"sample", "--ckpt", "checkpoint-5"},
         {"checkpoint-5: model.safetensors holds weights alone, and no config.json says of which network"},
         [](const fs::path& folder) {
             fs::create_directory(folder / "checkpoint-5");
             weights("checkpoint-5/model.safetensors", {""})(folder);
         }},
        {"weights of another name",
         {"sample", "--ckpt", "p"},
         {"p: its weights are called", "model.safetensors", "expected diffusion_pytorch_model.safetensors"},
         [](const fs::path& folder) {
             fs::create_directory(folder / "p");
             write_file(folder / "p/config.json", "{}");
             weights("p/model.safetensors", {""})(folder);
         }},
        {"a safetensors file called .pt",
         {"sample", "--ckpt", "w.pt"},
         {"w.pt: is a safetensors file", "give it a name that ends in .safetensors"},
         weights("w.pt", {""})},
        {"raw weights where there is an average alone",
         {"sample", "--ckpt", "checkpoint-5", "--weights", "raw"},
         {"has no raw weights"},
         [=](const fs::path& folder) { parts(folder / "checkpoint-5", {"unet_ema"}); }},
    });
}

// A run of a step on three classes of pictures in "d", with its configuration in c.json; copied for each case.
const fs::path& classed_run() {
    static const TempFolder folder;
    static const fs::path run = [] {
        for (const char* name : {"ant", "cat", "dog"}) {
            fs::create_directories(folder / "d" / name);
            write_file(folder / "d" / name / "x.pgm", "P5 1 1 255\n1");
        }
        write_file(folder / "c.json",
                   R"({"dataset": {"type": "image_folder", "path": "d", "image_size": 8}, "diffusion": {"timesteps": 10},
            "model": {"block_out_channels": [8], "layers_per_block": 1, "attention_resolutions": [], "norm_num_groups": 4, "num_class_embeds": 4},
            "train": {"steps": 1, "batch_size": 1, "sample_images": 0}})");
        const ProcessResult trained = run_ddpm({"train", "--config", "c.json", "--out", "r", "--threads", "1"}, folder.path());
        EXPECT_EQ(trained.code, 0) << trained.err;
        const ProcessResult plain = run_ddpm({"convert", "r", "plain"}, folder.path());
        EXPECT_EQ(plain.code, 0) << plain.err;
        return folder.path();
    }();
    return run;
}

TEST(BadInput, ClassesAndPicturesThatHaveChanged) {
    const auto changed = [](const std::string& name, Names arguments, Names words,
                            const std::function<void(const fs::path&)>& change) {
        return BadInput{name, std::move(arguments), std::move(words), [=](const fs::path& folder) {
                            fs::copy(classed_run(), folder, fs::copy_options::recursive);
                            change(folder);
                        }};
    };
    const auto resumed = [&](const std::string& name, Names words, const std::function<void(const fs::path&)>& change,
                             Names more = {}) {
        more.insert(more.begin(), {"train", "--config", "c.json", "--out", "r", "--resume", "--set", "train.steps=2", "--quiet"});
        return changed(name, more, std::move(words), change);
    };
    const Names moved{"--set", "dataset.path=e"};
    const auto add = [](const std::string& file, const std::string& bytes = "P5 1 1 255\n2") {
        return [=](const fs::path& folder) {
            fs::create_directories((folder / file).parent_path());
            write_file(folder / file, bytes);
        };
    };
    const auto to = [](const char* from, const char* there) {
        return [=](const fs::path& folder) { fs::rename(folder / from, folder / there); };
    };
    const auto then = [](const std::function<void(const fs::path&)>& one, const std::function<void(const fs::path&)>& other) {
        return [=](const fs::path& folder) { one(folder), other(folder); };
    };
    const auto from = [&](const std::string& name, const std::string& source, Names words,
                          const std::function<void(const fs::path&)>& change, Names more = {}) {
        more.insert(more.begin(), {"train", "--config", "c.json", "--out", "new", "--init-from", source, "--quiet"});
        return changed(name, more, std::move(words), change);
    };
    const auto nothing = [](const fs::path&) {};
    test::expect_refusals({
        resumed("a class in the middle", {"\"ant, cat, dog\"", "\"ant, bee, cat, dog\"", "new: bee;", "--init-from RUN"},
                add("d/bee/x.pgm")),
        resumed("a class less", {"gone: cat;"}, [](const fs::path& folder) { fs::remove_all(folder / "d/cat"); }),
        resumed("a class of another name", {"new: kitten; gone: cat"}, to("d/cat", "d/kitten")),
        resumed("numbers for classes", {"new: 0, 10, 2; gone: ant, cat, dog"},
                then(to("d/ant", "d/0"), then(to("d/cat", "d/10"), to("d/dog", "d/2")))),
        resumed("pictures that have gone", {"dataset.path: d: not found", "--set dataset.path=FOLDER"}, to("d", "e")),
        resumed("a folder that is not there", {"dataset.path: e: not found", "what lay in \"d\""}, nothing, moved),
        resumed("one more picture elsewhere", {"dataset.path was \"d\" and is \"e\" now: 4 images to train on, and there were 3"},
                then(to("d", "e"), add("e/cat/y.pgm")), moved),
        resumed("another picture of the same size elsewhere",
                {"other pictures than step-000001 was trained on: files of other contents"}, then(to("d", "e"), add("e/cat/x.pgm")),
                moved),
        resumed("a picture of another size elsewhere", {"files of other sizes"},
                then(to("d", "e"), add("e/cat/x.pgm", "P5 1 2 255\n22")), moved),
        resumed("another class elsewhere", {"new: cow; gone: dog"}, then(to("d", "e"), to("e/dog", "e/cow")), moved),
        resumed("another kind of data at another path", {"dataset.type (\"image_folder\" there, \"mnist\" now)"}, nothing,
                {"--set", "dataset.path=e", "--set", "dataset.type=mnist"}),
        from("classes of a model without names", "plain",
             {"--init-from plain: the model knows its classes by number alone, 0 … 3", "\"ant\""}, nothing),
        from("a number that the model does not have", "plain", {"the model knows its classes by number alone, 0 … 3", "\"4\""},
             then(to("d/ant", "d/0"), then(to("d/cat", "d/1"), to("d/dog", "d/4")))),
        from("a network without classes for one with", "r", {"another network", "num_class_embeds (4 there, null here)"}, nothing,
             {"--set", "model.num_class_embeds=null"}),
        changed("a class that the model does not have", {"eval", "bpd", "--ckpt", "r", "--data", "d"},
                {"--data: unknown class \"bee\""},
                then(add("d/bee/x.pgm"), [](const fs::path& folder) { fs::remove_all(folder / "d/cat"); })),
        changed("names for a model of numbers", {"eval", "bpd", "--ckpt", "plain", "--data", "d"},
                {"--data: the model knows its classes by number alone"}, nothing),
        changed("an evaluation of pictures that have gone", {"eval", "bpd", "--ckpt", "r"},
                {"d: not found, and r/checkpoints/step-000001", "--data FOLDER"}, to("d", "e")),
        changed("a number beyond the classes", {"sample", "--ckpt", "r", "--label", "4"}, {"--label", "got 4", "0 … 3"}, nothing),
        changed("a name that no class has", {"sample", "--ckpt", "r", "--label", "cta"},
                {"unknown class \"cta\"", "did you mean \"cat\""}, nothing),
    });
}

}  // namespace
}  // namespace ddpm
