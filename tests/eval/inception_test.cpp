#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/torch_save.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/files.h"
#include "ddpm/core/sha256.h"
#include "eval/inception_features.h"
#include "eval/inception_v3.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

using eval::inception_input;
using eval::InceptionForm;
using eval::InceptionV3;

// Weights that follow from a tensor's name and shape, for which pytorch-fid and torch-fidelity gave the numbers below. With
//     u_i = (splitmix64(s + i) ≫ 40)/2²⁴,   s the 64-bit FNV-1a of the name
// a kernel is (2u − 1)·√(6/fan in), weight and running_var of a batch norm are 0.5 + u, its bias is 0.4u − 0.2, its running_mean
// 0.2u − 0.1.
at::Tensor made_weight(const std::string& name, const std::vector<int64_t>& shape) {
    uint64_t s = 14695981039346656037U;
    for (const char c : name) s = (s ^ static_cast<unsigned char>(c)) * 1099511628211U;
    double factor = 1, offset = 0.5;
    if (name.ends_with("conv.weight")) {
        offset = -std::sqrt(6.0 / static_cast<double>(shape[1] * shape[2] * shape[3]));
        factor = -2 * offset;
    } else if (name.ends_with("bn.bias")) {
        factor = 0.4, offset = -0.2;
    } else if (name.ends_with("running_mean")) {
        factor = 0.2, offset = -0.1;
    }
    const at::Tensor tensor = at::empty(shape, at::kFloat);
    float* number = tensor.mutable_data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
        uint64_t z = s + static_cast<uint64_t>(i) + 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        number[i] = static_cast<float>(factor * static_cast<double>((z ^ (z >> 31)) >> 40) / (1 << 24) + offset);
    }
    return tensor;
}

// Pictures 0 … n − 1, [n, channels, height, width] bytes: (91n + 60c + 11x² + 5xy + 37y) mod 256.
at::Tensor made_pictures(int64_t count, int64_t channels, int64_t height = 24, int64_t width = 20) {
    const auto along = [](int64_t size, int64_t dim) {
        std::vector<int64_t> shape(4, 1);
        shape[static_cast<size_t>(dim)] = size;
        return at::arange(size, at::kLong).view(shape);
    };
    const at::Tensor n = along(count, 0), c = along(channels, 1), y = along(height, 2), x = along(width, 3);
    return (91 * n + 60 * c + 11 * x * x + 5 * x * y + 37 * y).remainder(256).to(at::kByte);
}

// All tensors of the network begin at the same of 2²¹ numbers in [0.005, 0.015), which a file holds once.
struct SharedWeights {
    at::Tensor numbers = at::arange(1 << 21, at::kLong).mul(7919).remainder(10007).to(at::kFloat).div(1e6).add(0.005);
    at::Tensor operator()(const std::string& name) const {
        for (const auto& [known, shape] : InceptionV3::tensors())
            if (known == name) return numbers.slice(0, 0, c10::multiply_integers(shape)).view(shape);
        ADD_FAILURE() << name;
        return {};
    }
    // Writes them as torch.save writes views of one storage, so that the file is small. `more` are further entries of the dictionary.
    void write(const fs::path& path, const std::string& more = "") const {
        using namespace test::pickle;
        std::string dictionary = "}";
        for (const auto& [name, shape] : InceptionV3::tensors()) {
            std::vector<int64_t> strides(shape.size(), 1);
            for (size_t i = shape.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * shape[i + 1];
            dictionary += entry(name, tensor(storage("FloatStorage", "0", numbers.numel()), 0, shape, strides));
        }
        const auto* bytes = reinterpret_cast<const char*>(numbers.const_data_ptr<float>());
        write_file(path, test::zip_archive({{"m/data.pkl", test::joined({"\x80\x02", dictionary, more, "."})},
                                            {"m/data/0", std::string(bytes, numbers.nbytes())}}));
    }
};

TEST(Inception, HasTheTensorsOfThePublishedFile) {
    const auto tensors = InceptionV3::tensors();
    int64_t numbers = 0;
    for (const auto& [name, shape] : tensors) numbers += c10::multiply_integers(shape);
    EXPECT_EQ(tensors.size(), 94u * 5);
    // pytorch-fid's state_dict has 23885486 with the classifier and 94 counters of batches.
    EXPECT_EQ(numbers + 2048 * 1008 + 1008 + 94, 23885486);
    EXPECT_EQ(tensors.front().first, "Conv2d_1a_3x3.conv.weight");
    EXPECT_EQ(tensors.back().first, "Mixed_7c.branch_pool.bn.running_var");
}

// What the network is given of 24×20 pictures, which are enlarged, and of 400×350, which are reduced: the sum, and numbers at the places
// (0, 0), (100, 37) and (298, 298). torch-fidelity, F.interpolate and Pillow made them, in float64; float32 finds the place with 1e-5.
TEST(Inception, ResizesAsTheThreePackagesDo) {
    const auto check = [](InceptionForm form, const at::Tensor& bytes, double sum, double corner, double inside, double end) {
        const at::Tensor x = inception_input(form, bytes)[bytes.size(0) - 1].to(at::kDouble);
        EXPECT_NEAR(inception_input(form, bytes)[0].to(at::kDouble).sum().item<double>(), sum, 0.05);
        EXPECT_NEAR(x[2][0][0].item<double>(), corner, 4e-5);
        EXPECT_NEAR(x[2][100][37].item<double>(), inside, 4e-5);
        EXPECT_NEAR(x[1][298][298].item<double>(), end, 4e-5);
    };
    const at::Tensor small = made_pictures(2, 3), large = made_pictures(1, 3, 400, 350);
    check(InceptionForm::legacy_tensorflow, small, -896.551753, 0.6484375, 0.267071751, 0.921875);
    check(InceptionForm::pytorch_fid, small, -12.8624832, 0.654901961, -0.220235134, 0.929411765);
    check(InceptionForm::clean_fid, small, -1112.07056, 0.573358536, -0.222882211, 0.9921875);
    check(InceptionForm::legacy_tensorflow, large, -1196.7224, -0.0625, 0.251706604, -0.313100904);
    check(InceptionForm::pytorch_fid, large, -199.229371, -0.0018877492, 0.142836517, -0.369492182);
    check(InceptionForm::clean_fid, large, -1250.78562, -0.00873368979, 0.110783935, -0.37691915);
    const at::Tensor inside = made_pictures(1, 3, 299, 299), bytes = inside.to(at::kFloat);
    EXPECT_TRUE(at::equal(inception_input(InceptionForm::legacy_tensorflow, inside), (bytes - 128) / 128)) << "no resize";
    EXPECT_TRUE(at::equal(inception_input(InceptionForm::clean_fid, inside), (bytes - 128) / 128)) << "no resize";
}

// torch-fidelity's class made the numbers of the first form, pytorch-fid's those of the others, in float64: of two pictures the sum of
// the features, that of their squares, and the features 0, 700 and the last. In float32 all of them are off by 1e-6 of the largest.
TEST(Inception, FeaturesAreThoseOfThePackages) {
    std::map<std::string, std::vector<int64_t>> shapes;
    for (const auto& [name, shape] : InceptionV3::tensors()) shapes[name] = shape;
    const InceptionV3 network([&](const std::string& name) { return made_weight(name, shapes.at(name)); }, "made", c10::kCPU);
    const at::Tensor pictures = made_pictures(2, 3);
    using Row = std::array<double, 5>;
    const auto check = [&](InceptionForm form, const std::array<Row, 2>& expected) {
        const at::Tensor input = inception_input(form, pictures);
        const at::Tensor x = (form == InceptionForm::spatial ? network.spatial(input) : network.pooled(input)).to(at::kDouble);
        ASSERT_EQ(x.sizes(), (std::vector<int64_t>{2, form == InceptionForm::spatial ? 2023 : 2048}));
        const double largest = x.abs().max().item<double>();
        for (int64_t i = 0; i < 2; ++i) {
            const auto [sum, squares, first, inside, last] = expected[static_cast<size_t>(i)];
            SCOPED_TRACE(testing::Message() << "form " << static_cast<int>(form) << ", picture " << i);
            EXPECT_NEAR(x[i].sum().item<double>(), sum, 1e-5 * sum);
            EXPECT_NEAR(x[i].square().sum().item<double>(), squares, 1e-5 * squares);
            EXPECT_NEAR(x[i][0].item<double>(), first, 1e-5 * largest);
            EXPECT_NEAR(x[i][700].item<double>(), inside, 1e-5 * largest);
            EXPECT_NEAR(x[i][-1].item<double>(), last, 1e-5 * largest);
        }
    };
    check(InceptionForm::legacy_tensorflow, {{{6626.27367, 64235.0751, 0.177922294, 2.52392578, 0.83909148},
                                              {6751.57686, 66461.0629, 0.0947915614, 2.49557137, 0.816316485}}});
    check(InceptionForm::pytorch_fid, {{{6670.07938, 65128.1354, 0.12881003, 2.59109451, 0.802301802},
                                        {6776.68417, 67168.4051, 0.200141806, 2.51330767, 0.812758592}}});
    check(InceptionForm::clean_fid, {{{8061.08204, 95150.9283, 0.0925439811, 3.23050363, 0.927380366},
                                      {8179.37018, 97874.5537, 0.225404177, 3.19290029, 0.9715271}}});
    check(InceptionForm::spatial, {{{6816.67295, 55595.4697, 6.42418833, 8.81553273, 1.14270606},
                                    {6949.68168, 57568.8366, 6.26206337, 8.35568482, 1.09371444}}});
}

// FILE of a row is read as the network; the features are those of the network by itself, and the protocol says what was done.
TEST(Inception, FeaturesOfAFile) {
    const TempFolder folder;
    const SharedWeights weights;
    weights.write(folder / "w.pth");
    const std::string file = (folder / "w.pth").string();
    const InceptionV3 network(weights, "w", c10::kCPU);
    const at::Tensor pictures = made_pictures(2, 3), grey = made_pictures(2, 1);
    const std::unique_ptr<Features> features = make_features("inception:" + file, {3, 24, 20});
    const at::Tensor x = features->raw(pictures);
    EXPECT_TRUE(at::equal(x, network.pooled(inception_input(InceptionForm::legacy_tensorflow, pictures))));
    EXPECT_LT((features->raw(pictures.slice(0, 1)) - x.slice(0, 1)).abs().max().item<double>(),
              1e-5 * x.abs().max().item<double>());
    EXPECT_EQ(features->raw(pictures.slice(0, 0, 0)).sizes(), (std::vector<int64_t>{0, 2048}));
    EXPECT_TRUE(at::equal(make_features("inception:" + file, {1, 24, 20})->raw(grey), features->raw(grey.expand({2, 3, 24, 20}))));
    const at::Tensor clear = at::cat({pictures, at::zeros({2, 1, 24, 20}, at::kByte)}, 1);
    const std::unique_ptr<Features> over_white = make_features("inception:" + file, {4, 24, 20});
    EXPECT_TRUE(at::equal(over_white->raw(clear), features->raw(at::full_like(pictures, 255))));
    EXPECT_SAYS(over_white->protocol().range, "alpha over white");
    EXPECT_EQ(features->protocol().sha256, sha256_of(read_file(file, 1 << 24)));
    EXPECT_EQ(features->protocol().features, "inception");
    EXPECT_EQ(features->protocol().dimension, 2048);
    EXPECT_SAYS(features->protocol().resize, "legacy_tensorflow");
}

TEST(Inception, RefusesFilesThatAreNotOfThisNetwork) {
    using namespace test::pickle;
    const TempFolder folder;
    const std::string file = (folder / "w.pth").string();
    const auto fault = [&] { return error_of([&] { make_features("inception:" + file, {3, 24, 20}); }); };
    SharedWeights weights;
    const std::string vector = storage("FloatStorage", "0", weights.numbers.numel());
    // The counters of batches and the classifier, which are not read.
    weights.write(file, entry("Mixed_7a.branch3x3_1.bn.num_batches_tracked", tensor(vector, 0, {}, {})) +
                            entry("fc.bias", tensor(vector, 0, {1008}, {1})));
    EXPECT_EQ(fault(), "no error");
    weights.write(file, entry("fc.bias", tensor(vector, 0, {1000}, {1})));
    EXPECT_SAYS(fault(), file + ": does not fit Inception v3 of 2015-12-05: fc.bias has the shape [1000], expected [1008]");
    weights.write(file, entry("AuxLogits.fc.bias", tensor(vector, 0, {1000}, {1})));
    EXPECT_SAYS(fault(), "AuxLogits.fc.bias is not of this network");
    weights.numbers[0] = -0.5;
    weights.write(file);
    EXPECT_SAYS(fault(), file + ": Conv2d_1a_3x3.bn.running_var has negative numbers");
    weights.numbers[700] = std::nan("");
    weights.numbers[0] = 0.5;
    weights.write(file);
    EXPECT_SAYS(fault(), file + ": Conv2d_1a_3x3.conv.weight has numbers that are not finite");
    test::torch_save(file, {{"Conv2d_1a_3x3.conv.weight", at::zeros({32, 3, 5, 5})}});
    EXPECT_SAYS(fault(),
                "Conv2d_1a_3x3.conv.weight has the shape [32, 3, 5, 5], expected [32, 3, 3, 3]; "
                "Conv2d_1a_3x3.bn.weight is missing; Conv2d_1a_3x3.bn.bias is missing; and 467 more");
    write_safetensors(folder / "w.safetensors", {{"fc.bias", at::zeros({1008}, at::kLong)}});
    const std::string text = error_of([&] {
        make_features("inception-spatial:" + (folder / "w.safetensors").string(), {3, 24, 20});
    });
    EXPECT_SAYS(text, "Conv2d_1a_3x3.conv.weight is missing");
    for (const char* name : {"inception", "inception-clean-fid"})
        EXPECT_SAYS(error_of([&] {
                        make_features(std::string(name) + ":" + file, {2, 24, 20});
                    }),
                    std::string(name) + " takes pictures");
}

}  // namespace
}  // namespace ddpm
