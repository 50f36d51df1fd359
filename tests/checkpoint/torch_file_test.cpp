#include "ddpm/checkpoint/torch_file.h"

#include <fstream>
#include <random>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using namespace test::pickle;

// A file that torch.save itself wrote (tests/data/checkpoint/make.py).
fs::path written(const std::string& name) { return fs::path(DDPM_TEST_DATA_DIR) / "checkpoint" / name; }

std::string error_of(const fs::path& path) {
    try {
        const TorchFile file(path);
        for (size_t i = 0; i < file.tensors().size(); ++i) file.read(i);
    } catch (const Error& error) {
        const std::string what = error.what();
        EXPECT_EQ(what.rfind(path.string() + ": ", 0), 0u) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        EXPECT_EQ(error.exit_code(), 2) << what;
        return what;
    }
    return "no error";
}

at::Tensor tensor_of(const TorchFile& file, const std::string& name) {
    for (size_t i = 0; i < file.tensors().size(); ++i)
        if (file.tensors()[i].name == name) return file.read(i);
    ADD_FAILURE() << name;
    return {};
}

void expect_numbers(const at::Tensor& tensor, at::ScalarType type, const at::Tensor& expected) {
    EXPECT_EQ(tensor.scalar_type(), type);
    EXPECT_TRUE(tensor.is_contiguous());
    EXPECT_TRUE(at::equal(tensor.to(at::kDouble), expected.to(at::kDouble))) << tensor << expected;
}

TEST(TorchFile, ReadsAStateDict) {
    const TorchFile file(written("state_dict.pt"));
    std::vector<std::string> names;
    for (const PickledTensor& tensor : file.tensors()) names.push_back(tensor.name);
    EXPECT_EQ(names, (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
                                               "1.num_batches_tracked"}));
    expect_numbers(tensor_of(file, "0.weight"), at::kFloat, at::arange(6).view({3, 2}));
    expect_numbers(tensor_of(file, "1.running_var"), at::kFloat, at::ones({3}));
    expect_numbers(tensor_of(file, "1.num_batches_tracked"), at::kLong, at::scalar_tensor(0));
}

TEST(TorchFile, ReadsViewsAndEveryDtype) {
    for (const char* name : {"nested.pt", "old_nested.pt"}) {
        SCOPED_TRACE(name);
        const TorchFile file(written(name));
        const at::Tensor numbers = at::arange(12).view({3, 4});
        expect_numbers(tensor_of(file, "model.transposed"), at::kFloat, numbers.t());
        expect_numbers(tensor_of(file, "model.rows"), at::kFloat, numbers.slice(0, 1).slice(1, 1, 3));
        expect_numbers(tensor_of(file, "model.last"), at::kFloat, at::arange(16).view({1, 2, 2, 4}));
        expect_numbers(tensor_of(file, "model.parameter"), at::kFloat, at::tensor({1.5, -2.0}));
        expect_numbers(tensor_of(file, "model.scalar"), at::kFloat, at::scalar_tensor(3));
        EXPECT_EQ(tensor_of(file, "model.empty").sizes(), (std::vector<int64_t>{0, 3}));
        int place = 0;
        for (const at::ScalarType type : {at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar})
            expect_numbers(tensor_of(file, fmt::format("dtypes.{}", place++)), type, at::tensor({1, -2}));
        expect_numbers(tensor_of(file, "dtypes.7"), at::kBool, at::ones({2}));
        EXPECT_EQ(file.tensors().size(), 14u) << "plain values are passed over";
    }
}

// Numbers of torch before 1.6 lie behind their count, so this file ends with 8 bytes of it and twelve floats.
TEST(TorchFile, ReadsTheFormatBeforeTorch16) {
    const fs::path path = written("old_format.pt");
    expect_numbers(tensor_of(TorchFile(path), "weight"), at::kFloat, at::arange(12).view({3, 4}));
    const std::string whole = read_file(path, 1 << 20);
    const TempFolder folder;
    const auto fault = [&](const std::string& bytes) {
        write_file(folder / "a.pt", bytes);
        return error_of(folder / "a.pt");
    };
    const size_t count = whole.size() - 48 - 8;
    EXPECT_SAYS(fault(whole.substr(0, whole.size() - 1)), "cut off: the storage");
    EXPECT_SAYS(fault(whole + "x"), "has bytes after its end");
    EXPECT_SAYS(fault(whole.substr(0, count) + "\x0d" + whole.substr(count + 1)), "has 13 elements, its pickle says 12");
    EXPECT_SAYS(fault(whole.substr(0, 18) + "\xea" + whole.substr(19)), "in a version of it that is not known");
}

TEST(TorchFile, IsAWeightSourceLikeAnyOther) {
    NamedTensors targets = {{"0.weight", at::zeros({3, 2}, at::kDouble)}};
    const std::string path = written("state_dict.pt").string();
    try {
        load_tensors(WeightSource(path), targets);
        FAIL();
    } catch (const Error& error) {
        EXPECT_SAYS(std::string(error.what()), "is not of this network");
    }
    const TempFolder folder;
    fs::copy_file(path, folder / "weights");  // it is recognised by its first bytes too
    const WeightSource source(folder / "weights");
    for (const std::string name : {"0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"})
        targets.emplace_back(name, at::zeros({3}));
    targets.emplace_back("1.num_batches_tracked", at::ones({}, at::kLong));
    load_tensors(source, targets);
    EXPECT_TRUE(at::equal(targets[0].second, at::arange(6).view({3, 2}).to(at::kDouble)));
}

TEST(TorchFile, RefusesInOneLineThatSaysWhy) {
    EXPECT_SAYS(error_of(written("code.pt")), "asks for \"posix.system\"; only tensors in dictionaries are read, no code is run");
    EXPECT_SAYS(error_of(written("protocol4.pt")), "has protocol 4, expected 2");
    EXPECT_SAYS(error_of(written("sparse.pt")), "asks for \"torch._utils._rebuild_sparse_tensor\"");
    EXPECT_SAYS(error_of(written("make.py")), "is a file of text, expected weights that torch.save wrote");
    EXPECT_SAYS(error_of(written("none.pt")), "No such file");
}

std::string error_of(const test::Files& files, const test::ZipQuirks& quirks = {}) {
    const TempFolder folder;
    write_file(folder / "a.pt", test::zip_archive(files, quirks));
    return error_of(folder / "a.pt");
}

// The code in a TorchScript archive is compressed, and NumPy's arrays may be: they are named before that is looked at.
TEST(TorchFile, NamesOtherArchivesBeforeItLooksIntoThem) {
    const test::Files jit = {{"m/data/0", "xxxx"}, {"m/data.pkl", "x"}, {"m/code/__torch__.py", "x"}, {"m/constants.pkl", "x"}};
    EXPECT_SAYS(error_of(jit, {.method = 8}), "is a TorchScript program (of torch.jit.save, or of torch::save in C++)");
    EXPECT_SAYS(error_of({{"x.npy", "x"}}, {.method = 8}), "is an archive of NumPy (.npz)");
    EXPECT_SAYS(error_of({{"word/document.xml", "x"}}, {.method = 8}), "a zip archive that holds no data.pkl");
}

TEST(TorchFile, RefusesArchivesThatAreNotWhole) {
    const std::string pickled = dictionary(tensor(storage("FloatStorage", "0", 3), 0, {3}, {1}));
    const std::string numbers(12, '\0');
    EXPECT_EQ(error_of({{"m/data.pkl", pickled}, {"m/data/0", numbers}}), "no error");
    EXPECT_SAYS(error_of({{"m/data/weights/weight_0", numbers}, {"m/archive_format", "pt2"}}), "a program of torch.export");
    EXPECT_SAYS(error_of({{"arr_0.npy", numbers}}), "an archive of NumPy (.npz)");
    EXPECT_SAYS(error_of({{"a.png", numbers}, {"b.png", numbers}}), "a zip archive of pictures");
    EXPECT_SAYS(error_of({{"config.json", "{}"}, {"model.weights.h5", numbers}}), "a model of Keras");
    EXPECT_SAYS(error_of(test::Files{{"p/model_index.json", "{}"}}), "a zip archive with a model in it");
    EXPECT_EQ(error_of({{"m/data.pkl", pickled}, {"m/data/0", numbers}, {"m/byteorder", "little"}}), "no error");
    EXPECT_SAYS(error_of({{"m/data.pkl", pickled}, {"m/data/0", numbers}, {"m/byteorder", "big"}}), "big-endian");
    EXPECT_SAYS(error_of({{"m/data.pkl", pickled}, {"m/data/0", numbers.substr(1)}}),
                "\"w\" needs 12 bytes in data/0, there are 11");
    EXPECT_SAYS(error_of({{"m/data.pkl", pickled}, {"m/data/1", numbers}}), "\"w\" needs 12 bytes in data/0, there are 0");
    EXPECT_SAYS(error_of({{"m/data.pkl", pickled}, {"n/data.pkl", pickled}}), "two files of torch.save");
    EXPECT_SAYS(error_of({{"data.pkl", pickled}, {"a/b/data.pkl", pickled}}), "holds no data.pkl");
    EXPECT_SAYS(error_of({{"m/data.pkl", pickled}, {"m/constants.pkl", ""}}), "a TorchScript program");
    EXPECT_SAYS(error_of({{"m/data.pkl", std::string((16 << 20) + 1, 'N')}}), "a pickle of 16777217 bytes");
}

// A file that is cut off anywhere is refused. One that is changed anywhere is refused or read, and nothing else
// happens.
TEST(TorchFile, DamageIsAnErrorOrOtherNumbers) {
    for (const char* name : {"nested.pt", "old_nested.pt"}) {
        SCOPED_TRACE(name);
        const TempFolder folder;
        const std::string whole = read_file(written(name), 1 << 20);
        const auto put = [&](const std::string& bytes) {  // without write_file's waiting for the disk
            std::ofstream(folder / "a.pt", std::ios::binary) << bytes;
        };
        for (size_t size = 4; size < whole.size(); size += 7) {
            put(whole.substr(0, size));
            EXPECT_NE(error_of(folder / "a.pt"), "no error") << size;
        }
        std::mt19937 random(1);
        for (int round = 0; round < 500; ++round) {
            std::string bytes = whole;
            bytes[random() % bytes.size()] = static_cast<char>(random());
            put(bytes);
            error_of(folder / "a.pt");
        }
    }
}

}  // namespace
}  // namespace ddpm
