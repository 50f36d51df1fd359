#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bad_input/bad_input.h"
#include "tensorfile/archive.h"

// Files of every kind, folders, pipes and nothing at all, given to every verb that takes a path: the message says what it is
// and what was expected.

namespace ddpm {
namespace {

using test::BadInput;
using test::file;

// A verb that is given the path "x", and what its message calls the thing that it expects.
struct Reader {
    std::string name;
    std::vector<std::string> arguments;
    std::string expects;
    std::string reads;  // the kinds of the table below that are no mistake here, or that its own parser refuses
};

const std::vector<Reader>& readers() {
    static const std::vector<Reader> all = {
        {"train", {"train", "--config", "x"}, "expected JSON", "text"},
        {"sample", {"sample", "--ckpt", "x"}, "expected a run folder", ""},
        {"eval", {"eval", "bpd", "--ckpt", "none", "--data", "x"}, "expected a folder of pictures or a configuration", "text"},
        {"data", {"data", "x"}, "expected a folder of pictures or a configuration", "text"},
        {"info", {"info", "x"}, "expected", ""},
        {"verify", {"info", "--verify", "x"}, "expected", ""},
        {"convert", {"convert", "x", "out"}, "expected", ""},
        {"convert with a setting", {"convert", "x", "out", "--set", "image_size=8"}, "expected", ""},
        {"convert with a key", {"convert", "x", "out", "--key", "ema"}, "expected", ""},
        {"begin", {"train", "--config", "c.json", "--out", "r", "--init-from", "x"}, "expected a run folder", ""},
    };
    return all;
}

constexpr const char* kConfig = R"({"dataset": {"image_size": 8, "length": 8}, "diffusion": {"timesteps": 10, "schedule": "cosine"},
    "model": {"block_out_channels": [8], "layers_per_block": 1, "attention_resolutions": [], "norm_num_groups": 4},
    "train": {"steps": 1, "batch_size": 1, "sample_images": 0}})";

struct Kind {
    std::string name, bytes, words;
};

std::vector<Kind> kinds() {
    const std::string nothing(300, '\0');
    return {
        {"picture", "\x89PNG\r\n\x1a\n" + nothing, "a PNG picture"},
        {"zip", test::zip_archive({{"a.png", "x"}}), "a zip archive"},
        {"npz", test::zip_archive({{"arr_0.npy", "x"}}), "an archive of NumPy"},
        {"jit",
         test::zip_archive({{"m/data/0", "xxxx"}, {"m/data.pkl", "x"}, {"m/code/__torch__.py", "x"}, {"m/constants.pkl", "x"}}),
         "TorchScript"},
        {"pickle", "\x80\x04\x95\x3b" + std::string(7, '\0') + "}\x94.", "a pickle of Python objects"},
        {"hdf5", "\x89HDF\r\n\x1a\n" + nothing, "a file of HDF5"},
        {"gguf", "GGUF\x03" + nothing, "a file of GGUF"},
        {"onnx", "\x08\x07\x12\x07pytorch\x1a\x05" + nothing, "a model of ONNX"},
        {"tar", "w.pt" + std::string(253, '\0') + "ustar" + nothing, "a tar archive"},
        {"gzip", "\x1f\x8b\x08" + nothing, "a gzip archive"},
        {"html", "<!DOCTYPE html><html>Not Found</html>", "a page of HTML"},
        {"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "a pointer of Git LFS"},
        {"text", "hello\n", "a file of text"},
    };
}

TEST(BadInput, FilesOfOtherKinds) {
    std::vector<BadInput> cases;
    for (const Kind& kind : kinds())
        for (const Reader& reader : readers()) {
            if (reader.reads == kind.name) continue;
            cases.push_back(
                {kind.name + " for " + reader.name, reader.arguments, {"x: ", kind.words, reader.expects}, [=](const fs::path& f) {
                     write_file(f / "c.json", kConfig);
                     write_file(f / "x", kind.bytes);
                 }});
        }
    test::expect_refusals(cases);
}

TEST(BadInput, PathsThatLeadToNoFile) {
    const std::pair<const char*, std::pair<std::string, std::function<void(const fs::path& x)>>> paths[] = {
        {"nothing", {"", [](const fs::path&) {}}},
        {"a link to nothing", {"\"nowhere\", which is not there", [](const fs::path& x) { fs::create_symlink("nowhere", x); }}},
        {"a pipe", {"is a pipe", [](const fs::path& x) { ASSERT_EQ(::mkfifo(x.c_str(), 0600), 0); }}},
        {"a device", {"is a device", [](const fs::path& x) { fs::create_symlink("/dev/null", x); }}},
        {"a socket",
         {"is a socket",
          [](const fs::path& x) {
              const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
              sockaddr_un address{};
              address.sun_family = AF_UNIX;
              x.string().copy(address.sun_path, sizeof address.sun_path - 1);
              ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
              ::close(socket);
          }}},
    };
    std::vector<BadInput> cases;
    for (const auto& [name, path] : paths)
        for (const Reader& reader : readers()) {
            const bool reads_json = reader.reads == "text";  // from a pipe too, which would wait for its writer here
            if (reads_json && std::string(name) == "a pipe") continue;
            const bool missing = std::string(name) == "nothing" || std::string(name) == "a link to nothing";
            std::vector<std::string> words{missing && reader.name == "train" ? "x: can't open: No such file"
                                           : missing                         ? "x: not found"
                                                                             : path.first,
                                           missing && reader.name == "train" ? "" : reader.expects};
            cases.push_back(
                {std::string(name) + " for " + reader.name, reader.arguments, words, [make = path.second](const fs::path& f) {
                     write_file(f / "c.json", kConfig);
                     make(f / "x");
                 }});
        }
    test::expect_refusals(cases);
}

TEST(BadInput, WhatLiesInAFolder) {
    const std::string lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    const auto with_config = [](const std::string& config, const std::string& name, const std::string& bytes) {
        return [=](const fs::path& folder) {
            write_file(folder / "c.json", config);
            file(name, bytes)(folder);
        };
    };
    const std::string folder = R"({"dataset": {"type": "image_folder", "path": "x"}})";
    const std::string mnist = R"({"dataset": {"type": "mnist", "path": "x", "image_size": 8, "channels": 1},
        "model": {"block_out_channels": [8], "norm_num_groups": 4}})";
    const std::string cifar = R"({"dataset": {"type": "cifar10", "path": "x", "split": "test"},
        "model": {"block_out_channels": [8, 8], "norm_num_groups": 4, "attention_resolutions": []}})";
    const auto pipe = [](const std::string& config, const std::string& name, const std::string& beside = "") {
        return [=](const fs::path& f) {
            write_file(f / "c.json", config);
            fs::create_directories((f / name).parent_path());
            if (!beside.empty()) write_file(f / beside, "");
            ASSERT_EQ(::mkfifo((f / name).c_str(), 0600), 0);
        };
    };
    test::expect_refusals({
        {"pictures of Git LFS", {"data", "x"}, {"x/a.png: not a picture but a pointer of Git LFS"}, file("x/a.png", lfs)},
        {"a picture of Git LFS", {"noise-preview", "a.png"}, {"a pointer of Git LFS", "git lfs pull"}, file("a.png", lfs)},
        {"HTML for a picture", {"noise-preview", "a.png"}, {"not a picture but a page of HTML"}, file("a.png", "<html></html>")},
        {"a zip archive for a picture",
         {"noise-preview", "a.png"},
         {"not a picture but a zip archive"},
         file("a.png", test::zip_archive({{"b.png", "x"}}))},
        {"a folder for a picture",
         {"noise-preview", "p"},
         {"p: is a folder, expected a picture"},
         [](const fs::path& f) { fs::create_directory(f / "p"); }},
        {"a zip archive for dataset.path",
         {"data", "c.json"},
         {"x: is a zip archive, expected the folder of the data set", "unpack it"},
         with_config(folder, "x", test::zip_archive({{"b.png", "x"}}))},
        {"an archive of MNIST",
         {"data", "c.json"},
         {"x: is a gzip archive, expected the folder"},
         with_config(mnist, "x", "\x1f\x8b\x08x")},
        {"an archive of CIFAR-10",
         {"data", "c.json"},
         {"x: is a gzip archive, expected the folder"},
         with_config(cifar, "x", "\x1f\x8b\x08x")},
        {"a pointer for MNIST",
         {"data", "c.json"},
         {"train-images-idx3-ubyte: is a pointer of Git LFS, expected a file of IDX"},
         with_config(mnist, "x/train-images-idx3-ubyte", lfs)},
        {"HTML for MNIST",
         {"data", "c.json"},
         {"train-images-idx3-ubyte.gz: is a page of HTML"},
         with_config(mnist, "x/train-images-idx3-ubyte.gz", "<!doctype html>")},
        {"a pointer for CIFAR-10",
         {"data", "c.json"},
         {"test_batch.bin: is a pointer of Git LFS"},
         with_config(cifar, "x/test_batch.bin", lfs)},
        {"a pickle for CIFAR-10",
         {"data", "c.json"},
         {"test_batch.bin: is a pickle of Python objects"},
         with_config(cifar, "x/test_batch.bin", std::string("\x80\x02}q\0", 5))},
        {"a pipe for MNIST", {"data", "c.json"}, {"train-images-idx3-ubyte: is a pipe"}, pipe(mnist, "x/train-images-idx3-ubyte")},
        {"a pipe for CIFAR-10", {"data", "c.json"}, {"test_batch.bin: is a pipe"}, pipe(cifar, "x/test_batch.bin")},
        {"weights of Git LFS in a pipeline",
         {"info", "x"},
         {"diffusion_pytorch_model.safetensors: is a pointer of Git LFS", "git lfs pull"},
         [=](const fs::path& f) {
             file("x/config.json", R"({"_class_name": "UNet2DModel"})")(f);
             file("x/diffusion_pytorch_model.safetensors", lfs)(f);
         }},
        {"a configuration of Git LFS in a pipeline",
         {"info", "x"},
         {"x/config.json: is a pointer of Git LFS, expected JSON"},
         [=](const fs::path& f) {
             file("x/config.json", lfs)(f);
             file("x/diffusion_pytorch_model.safetensors", "x")(f);
         }},
        {"a part of a pipeline",
         {"sample", "--ckpt", "x/config.json"},
         {"x/config.json: is a file of JSON", "name that folder"},
         [=](const fs::path& f) {
             file("x/config.json", "{}")(f);
             file("x/diffusion_pytorch_model.bin", "x")(f);
         }},
        {"a home folder that no shell has put in", {"info", "~/model"}, {"~/model: not found", "home folder"}},
        {"a configuration in a home folder", {"train", "--config", "~/c.json"}, {"~/c.json: can't open", "home folder"}},
        {"a slash behind a file's name", {"info", "x.pt/"}, {"x.pt/: not found (x.pt is no folder)"}, file("x.pt", "x")},
        {"a file on the way", {"sample", "--ckpt", "x.pt/r"}, {"x.pt/r: not found (x.pt is no folder)"}, file("x.pt", "x")},
        {"a run's configuration that is a pipe",
         {"train", "--config", "c.json", "--out", "r", "--resume"},
         {"r/config.json: is no part of a run"},
         pipe(kConfig, "r/config.json", "r/metrics.jsonl")},
        {"a run's configuration that is a pipe, overwritten",
         {"train", "--config", "c.json", "--out", "r", "--overwrite"},
         {"r/config.json: is no part of a run, and is not replaced, not even by --overwrite"},
         pipe(kConfig, "r/config.json", "r/metrics.jsonl")},
    });
}

TEST(BadInput, LengthsThatLookLikeOtherKinds) {
    // Lengths whose first bytes look like HTML, before no header.
    std::vector<BadInput> cases;
    for (const uint64_t length : {0x213Cull, 0x21213Cull, 0x683Cull})
        cases.push_back({"a length like another kind's",
                         {"info", "x.safetensors"},
                         {"not a sound safetensors file"},
                         file("x.safetensors", test::little(length, 8) + "[" + std::string(100, ' '))});
    test::expect_refusals(cases);
}

}  // namespace
}  // namespace ddpm
