#include "bad_input/bad_input.h"
#include "bad_input/parts.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::Files;
using test::little;

// `ddpm eval quality` of features by a file, beside pictures of the data set shapes.
BadInput features(const std::string& name, const std::string& features, std::vector<std::string> words,
                  const std::function<void(const fs::path&)>& make = {}, const std::string& dataset = "\"image_size\": 16") {
    const auto with_data = [make, dataset](const fs::path& folder) {
        write_file(folder / "c.json", "{\"dataset\": {\"type\": \"shapes\", \"length\": 40, " + dataset + "}}");
        fs::create_directories(folder / "s");
        for (int i = 0; i < 20; ++i)  // one grey pixel in each
            write_file(folder / "s" / (std::to_string(i) + ".pgm"), "P2 1 1 255 " + std::to_string(i));
        if (make) make(folder);
    };
    words.insert(words.begin(), "--features");
    return {name,
            {"eval", "quality", "--samples", "s", "--data", "c.json", "--n", "20", "--real", "20", "--features", features},
            words,
            with_data};
}

std::string one_tensor(const std::string& name) {
    const std::string header = R"({")" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    return little(header.size(), 8) + header + std::string(4, '\0');
}

std::function<void(const fs::path&)> script(const Files& files) { return file("x.pt", test::zip_archive(files)); }

TEST(BadInput, FilesOfFeatures) {
    const Files sound{{"n/data.pkl", "x"}, {"n/constants.pkl", "x"}, {"n/code/__torch__.py", "def f(self):\n"}};
    Files setstate = sound, foreign = sound, old = sound;
    setstate[2].second = "def __setstate__(self, state: int):\n";
    foreign[0].second = "c__torch__.torch.classes.quantized\nConv\n.";
    old.emplace_back("n/model.json", "{}");
    const std::string plain = test::zip_archive(sound);
    test::expect_refusals({
        features("DINOv2 without a file", "dinov2", {"dinov2 need a file of weights; expected dinov2:FILE"}),
        features("CLIP without a file", "clip:", {"clip need a file of weights"}),
        features("TorchScript without a file", "torchscript", {"torchscript:FILE"}),
        features("weights that are not there", "dinov2:none.safetensors", {"none.safetensors: not found"}),
        features("a folder of a model", "dinov2:m", {"m: is a folder", "DINOv2"},
                 [](const fs::path& folder) { fs::create_directories(folder / "m"); }),
        features("an index of several files", "clip:model.safetensors.index.json", {"the index of a network in several files"},
                 file("model.safetensors.index.json", "{}")),
        features("a picture for weights", "clip:x.safetensors", {"x.safetensors", "PNG"},
                 file("x.safetensors", "\x89PNG\r\n\x1a\n" + std::string(20, '\0'))),
        features("weights that are cut off", "dinov2:x.safetensors", {"x.safetensors", "copied whole"},
                 file("x.safetensors", one_tensor("a").substr(0, one_tensor("a").size() - 1))),
        features("weights of another network for DINOv2", "dinov2:x.safetensors",
                 {"x.safetensors: has no tensor \"embeddings.cls_token\"", "DINOv2"}, file("x.safetensors", one_tensor("a"))),
        features("weights of another network for CLIP", "clip:x.safetensors",
                 {"has no tensor \"vision_model.embeddings.class_embedding\"", "CLIP"}, file("x.safetensors", one_tensor("a"))),
        features("a program for DINOv2", "dinov2:x.pt", {"x.pt", "zip archive", "DINOv2"}, script(sound)),
        features("a program that is not there", "x.pt", {"x.pt: not found"}),
        features("an empty program", "x.pt", {"x.pt", "is empty"}, file("x.pt", "")),
        features("a page of HTML for a program", "x.pt", {"x.pt", "HTML"}, file("x.pt", "<!DOCTYPE html><html>")),
        features("safetensors for a program", "torchscript:x.pt", {"x.pt", "safetensors"}, file("x.pt", one_tensor("a"))),
        features("half a program", "x.pt", {"x.pt", "not a sound zip archive"}, file("x.pt", plain.substr(0, plain.size() / 2))),
        features("weights of torch.save for a program", "x.pt", {"x.pt: is weights of torch.save without a program"},
                 script({{"m/data.pkl", "x"}})),
        features("a zip archive of pictures for a program", "x.pt", {"x.pt", "holds no program"}, script({{"a.png", "x"}})),
        features("a program that runs code while it is loaded", "x.pt", {"\"n/code/__torch__.py\" uses __setstate__"},
                 script(setstate)),
        features("a program with a class of C++", "x.pt", {"\"n/data.pkl\" uses torch.classes"}, script(foreign)),
        features("a program of before torch 1.4", "x.pt", {"before torch 1.4"}, script(old)),
        features("a program that LibTorch can't read", "x.pt", {"x.pt: can't be loaded"}, script(sound)),
    });
}

}  // namespace
}  // namespace ddpm
