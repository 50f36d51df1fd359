#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "ddpm/core/files.h"
#include "ddpm/core/sha256.h"
#include "ddpm/eval/features.h"
#include "ddpm/tensorfile/script_archive.h"
#include "eval/script_check.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using torch::jit::Module;

// A program with a tensor `w` [3, 4], whose methods are written in TorchScript.
Module program(const std::vector<std::string>& methods) {
    Module module("__torch__.Net");
    module.register_buffer("w", at::arange(12, at::kFloat).view({3, 4}));
    for (const std::string& method : methods) module.define(method);
    return module;
}

std::string saved(const TempFolder& folder, const Module& module) {
    const std::string file = (folder / "net.pt").string();
    module.save(file);
    return file;
}

// The error of features by a program with this body of forward(self, x).
std::string error_of_body(const std::string& body, const PictureFormat& format = {3, 4, 4}) {
    const TempFolder folder;
    const std::string file = saved(folder, program({"def forward(self, x: Tensor):\n    " + body + "\n"}));
    return error_of([&] { make_features(file, format); });
}

TEST(Script, FeaturesAreWhatTheProgramReturns) {
    const TempFolder folder;
    const std::string file = saved(folder, program({R"(
def means(self, x: Tensor):
    return torch.mean(x * 1.0, [2, 3])
)",
                                                    R"(
def forward(self, x: Tensor):
    y = self.means(x)
    if y.size(0) > 1000:
        y = y * 0
    return torch.matmul(torch.relu(y), self.w)
)"}));
    const PictureFormat format{3, 5, 7};
    const at::Tensor bytes = at::arange(40 * 3 * 5 * 7, at::kLong).remainder(256).to(at::kByte).view({40, 3, 5, 7});
    const at::Tensor expected = at::matmul(bytes.to(at::kDouble).mean({2, 3}), at::arange(12, at::kDouble).view({3, 4}));
    for (const std::string& name : {file, "torchscript:" + file}) {
        const auto features = make_features(name, format);
        EXPECT_EQ(features->protocol().dimension, 4);
        EXPECT_EQ(features->protocol().features, "torchscript");
        EXPECT_EQ(features->protocol().sha256, sha256_of(read_file(file, 1 << 20)));
        EXPECT_TRUE(at::allclose(features->raw(bytes).to(at::kDouble), expected, 1e-5));
        EXPECT_EQ(features->raw(bytes.slice(0, 0, 0)).sizes(), (std::vector<int64_t>{0, 4}));
    }
}

// The signature and the resize of NVIDIA's inception-2015-12-05.pt.
TEST(Script, ReturnFeaturesIsAsked) {
    const TempFolder folder;
    const std::string file = saved(folder, program({R"(
def forward(self, img: Tensor, return_features: bool=False, use_fp16: bool=False, no_output_bias: bool=False):
    batch_size, channels, height, width = img.shape
    assert channels == 3
    x = img.to(5 if use_fp16 else 6)
    theta = torch.eye(2, 3, device=x.device)
    theta[0, 2] += theta[0, 0] / width - theta[0, 0] / 299
    theta[1, 2] += theta[1, 1] / height - theta[1, 1] / 299
    theta = theta.to(x.dtype).unsqueeze(0).repeat([batch_size, 1, 1])
    grid = torch.affine_grid_generator(theta, [batch_size, channels, 299, 299], False)
    x = torch.grid_sampler(x, grid, 0, 1, False)
    x -= 128
    x /= 128
    features = torch.mean(x, [2, 3]).to(6)
    if return_features:
        return features
    return torch.softmax(torch.matmul(features, self.w), 1)
)"}));
    const auto features = make_features(file, {1, 8, 8});
    EXPECT_EQ(features->protocol().dimension, 3) << "not the 4 classes";
    EXPECT_SAYS(features->protocol().definition, "return_features=true");
    const at::Tensor x = features->raw(at::full({2, 1, 8, 8}, 192, at::kByte));
    EXPECT_TRUE(at::allclose(x, at::full({2, 3}, 0.5)));
}

TEST(Script, RefusesOperatorsByName) {
    std::string text = error_of_body("return torch.from_file('/etc/passwd', False, 10).view([1, 10]).expand([x.size(0), 10])");
    EXPECT_SAYS(text, "net.pt: uses the operator aten::from_file");
    text = error_of_body("torch.save(x, 'stolen')\n    return torch.flatten(x, 1) * 1.0");
    EXPECT_SAYS(text, "aten::save");
    text = error_of_body("if x.size(0) > 10:\n        return torch.rand([x.size(0), 3])\n    return torch.flatten(x, 1) * 1.0");
    EXPECT_SAYS(text, "aten::rand");
    text = error_of_body("print(x.size(0))\n    return torch.flatten(x, 1) * 1.0");
    EXPECT_SAYS(text, "prim::Print");
    text = error_of_body("self.w = self.w + 1\n    return torch.flatten(x, 1) * 1.0");
    EXPECT_SAYS(text, "prim::SetAttr");
}

// Also in what forward calls, and in the parts of the program.
TEST(Script, LooksIntoWhatIsCalled) {
    const TempFolder folder;
    Module inner = program({"def hidden(self, x: Tensor):\n    torch.save(x, 'stolen')\n    return x\n",
                            "def forward(self, x: Tensor):\n    return self.hidden(x)\n"});
    Module outer("__torch__.Outer");
    outer.register_module("inner", inner);
    outer.define("def forward(self, x: Tensor):\n    return torch.flatten(self.inner.forward(x), 1) * 1.0\n");
    const std::string file = saved(folder, outer);
    const std::string text = error_of([&] { make_features(file, {3, 4, 4}); });
    EXPECT_SAYS(text, "aten::save");
    EXPECT_FALSE(is_present("stolen"));
}

TEST(Script, RefusesOtherContracts) {
    std::string text = error_of_body("return x * 1.0");
    EXPECT_SAYS(text, "returns [3, 3, 4, 4] of Float for 3 pictures, expected [3, D] of floats");
    text = error_of_body("return torch.flatten(x, 1)");
    EXPECT_SAYS(text, "of Byte");
    text = error_of_body("return [torch.flatten(x, 1)]");
    EXPECT_SAYS(text, "expected one tensor");
    text = error_of_body("return torch.flatten(x, 1) * 1.0 / 0");
    EXPECT_SAYS(text, "not finite");
    text = error_of_body("return torch.matmul(torch.flatten(x, 1) * 1.0, self.w)");
    EXPECT_SAYS(text, "can't take pictures [3, 3, 4, 4] of uint8");
    text = error_of_body("y = torch.flatten(x, 1) * 1.0\n    return y - torch.mean(y, [0])");
    EXPECT_SAYS(text, "beside other pictures");
    const TempFolder folder;
    const std::string two = saved(folder, program({"def forward(self, x: Tensor, t: Tensor):\n    return x + t\n"}));
    text = error_of([&] { make_features(two, {3, 4, 4}); });
    EXPECT_SAYS(text, "forward takes \"t\" too");
    const std::string none = saved(folder, program({"def other(self, x: Tensor):\n    return x\n"}));
    text = error_of([&] { make_features(none, {3, 4, 4}); });
    EXPECT_SAYS(text, "no method forward");
}

std::string error_of_archive(const test::Files& files, const test::ZipQuirks& quirks = {}) {
    const std::string bytes = test::zip_archive(files, quirks);
    return error_of([&] {
        check_script_archive([&](uint64_t offset, uint64_t count) { return bytes.substr(offset, count); }, bytes.size(), "n.pt");
    });
}

TEST(Script, LooksIntoTheArchiveBeforeLoading) {
    test::Files files{{"n/data.pkl", "x"}, {"n/constants.pkl", "x"}, {"n/code/__torch__.py", "def forward(self):\n"}};
    EXPECT_EQ(error_of_archive(files), "no error");
    std::string text = error_of_archive(files, {.comment = "hello"});
    EXPECT_SAYS(text, "has a comment");
    files[2].second.assign((1 << 20) - 6, ' ');
    files[2].second += "def __setstate__(self, state: int):\n";
    text = error_of_archive(files);
    EXPECT_SAYS(text, "n.pt: \"n/code/__torch__.py\" uses __setstate__");
    files[2].second = "";
    files[0].second = "c__torch__.torch\nclasses.quantized.Conv2d\n.";
    text = error_of_archive(files);
    EXPECT_SAYS(text, "\"n/data.pkl\" uses torch.classes");
    files[0].second = "";
    files.emplace_back("N/CODE/__torch__.PY", "");
    text = error_of_archive(files);
    EXPECT_SAYS(text, "in other letters");
    files.back() = {"n/model.json", ""};
    text = error_of_archive(files);
    EXPECT_SAYS(text, "before torch 1.4");
    text = error_of_archive({{"n/data.pkl", "x"}});
    EXPECT_SAYS(text, "weights of torch.save without a program");
}

}  // namespace
}  // namespace ddpm
