#include <algorithm>
#include <cstring>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <spdlog/fmt/fmt.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/sha256.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/script_archive.h"
#include "eval/feature_kinds.h"
#include "eval/rgb_pictures.h"
#include "eval/script_check.h"

namespace ddpm::eval {

namespace {

constexpr uint64_t kMaxScriptBytes = uint64_t{8} << 30;
constexpr int64_t kScriptTogether = 32;  // pictures in a call
// The input by which NVIDIA's inception-2015-12-05.pt returns features in place of classes. It is set to true.
constexpr const char* kReturnFeatures = "return_features";

// Gives LibTorch the very bytes that were checked, whatever becomes of the file meanwhile.
class HeldBytes : public caffe2::serialize::ReadAdapterInterface {
public:
    explicit HeldBytes(std::string bytes) : bytes_(std::move(bytes)) {}
    const std::string& bytes() const { return bytes_; }
    size_t size() const override { return bytes_.size(); }
    size_t read(uint64_t at, void* to, size_t count, const char* /*what*/) const override {
        if (at >= bytes_.size()) return 0;
        const size_t there = std::min<size_t>(count, bytes_.size() - at);
        std::memcpy(to, bytes_.data() + at, there);
        return there;
    }

private:
    std::string bytes_;
};

// Returns what went wrong from a message of TorchScript, which begins with a traceback.
std::string reason(const std::exception& error) {
    const std::string text = error.what();
    const size_t at = text.rfind("Error: ");
    return one_line(at == text.npos ? text : text.substr(at + 7));
}

// Calls what LibTorch throws a user error about the file.
template <class Body>
auto told(const std::string& source, const char* what, Body body) {
    try {
        return body();
    } catch (const Error&) {
        throw;
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& error) {
        user_error(fmt::format("{}: {}: {}", source, what, reason(error)));
    }
}

// A TorchScript program that was checked. It runs without the optimiser, which would change the rounding from the third call on.
class ScriptNet {
public:
    ScriptNet(const std::filesystem::path& file, c10::Device device);

    const std::string& sha256() const { return sha256_; }
    // Whether it is one that returns features only if it is asked to, as NVIDIA's do. Those take three channels.
    bool asks_for_features() const { return asks_; }
    // [n, C, H, W] bytes → [n, D] float32 on the CPU.
    at::Tensor operator()(const at::Tensor& bytes) const;

private:
    void read_inputs();

    std::string source_, sha256_;
    c10::Device device_;
    mutable torch::jit::Module module_;
    bool asks_ = false;
};

ScriptNet::ScriptNet(const std::filesystem::path& file, c10::Device device) : source_(file.string()), device_(device) {
    expect_kind(file, {FileKind::zip}, "a TorchScript program that torch.jit.save wrote");
    const auto held = std::make_shared<HeldBytes>(read_file(file, kMaxScriptBytes));
    const std::string& bytes = held->bytes();
    sha256_ = sha256_of(bytes);
    check_script_archive([&](uint64_t offset, uint64_t count) { return bytes.substr(offset, count); }, bytes.size(), source_);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    module_ = told(source_, "can't be loaded", [&] { return torch::jit::load(held, c10::Device(at::kCPU), false); });
#pragma GCC diagnostic pop
    check_script(module_, source_);
    read_inputs();
    module_.eval();
    told(source_, "can't be moved to the device", [&] { module_.to(device_); });
}

void ScriptNet::read_inputs() {
    const std::vector<c10::Argument>& inputs =
        module_.get_method("forward").function().getSchema().arguments();  // [0] is the module
    if (inputs.size() < 2 || inputs[1].type()->kind() != c10::TypeKind::TensorType)
        user_error(source_ + ": forward does not take a tensor, expected one for pictures [N, C, H, W] of uint8");
    for (size_t i = 2; i < inputs.size(); ++i) {
        if (!inputs[i].default_value())
            user_error(fmt::format("{}: forward takes {} too, which has no default; expected one tensor, the pictures", source_,
                                   quote(inputs[i].name())),
                       "wrap the network in one that takes pictures alone");
        if (inputs[i].name() == kReturnFeatures && inputs[i].type()->kind() == c10::TypeKind::BoolType) asks_ = true;
    }
}

at::Tensor ScriptNet::operator()(const at::Tensor& bytes) const {
    const c10::InferenceMode no_gradients;
    const torch::jit::GraphOptimizerEnabledGuard plain(false);
    c10::IValue answer =
        told(source_, fmt::format("can't take pictures [{}] of uint8", fmt::join(bytes.sizes(), ", ")).c_str(), [&] {
            torch::jit::Kwargs more;
            if (asks_) more[kReturnFeatures] = true;
            return module_.get_method("forward")({bytes.to(device_)}, more);
        });
    if (!answer.isTensor())
        user_error(fmt::format("{}: returns a {}, expected one tensor [N, D] of floats", source_, answer.tagKind()));
    const at::Tensor features = answer.toTensor();
    if (features.dim() != 2 || features.size(0) != bytes.size(0) || features.size(1) < 1 || !features.is_floating_point())
        user_error(
            fmt::format("{}: returns [{}] of {} for {}, expected [{}, D] of floats", source_, fmt::join(features.sizes(), ", "),
                        at::toString(features.scalar_type()), plural(bytes.size(0), "picture"), bytes.size(0)),
            "flatten or average the places of a map of features before it is returned");
    const at::Tensor numbers = features.to(at::kCPU, at::kFloat);
    if (!at::isfinite(numbers).all().item<bool>()) user_error(source_ + ": returns a number that is not finite");
    return numbers;
}

// The pictures as the program takes them.
at::Tensor script_input(const ScriptNet& net, const at::Tensor& bytes) {
    return (net.asks_for_features() ? to_rgb(bytes) : bytes).contiguous();
}

// Asks for the features of three pictures and of two of them. A network that is in training mode answers differently.
int64_t dimension_of(const ScriptNet& net, const PictureFormat& format, const std::string& source) {
    const int64_t values = format.channels * format.height * format.width;
    const at::Tensor pictures = at::arange(3 * values, at::kLong)
                                    .mul_(37)
                                    .remainder_(251)
                                    .to(at::kByte)
                                    .view({3, format.channels, format.height, format.width});
    const at::Tensor three = net(script_input(net, pictures)), two = net(script_input(net, pictures.slice(0, 1)));
    if (two.size(1) != three.size(1) || !at::allclose(two, three.slice(0, 1), 1e-3, 1e-3 * three.abs().max().item<double>()))
        user_error(source + ": gives a picture other features the second time, or beside other pictures",
                   "is it in training mode? export net.eval()");
    return three.size(1);
}

class ScriptFeatures : public Features {
public:
    ScriptFeatures(FeatureProtocol protocol, ScriptNet net) : Features(std::move(protocol)), net_(std::move(net)) {}

private:
    at::Tensor compute(const at::Tensor& bytes) const override {
        const int64_t count = bytes.size(0);
        const at::Tensor out = at::empty({count, protocol().dimension}, at::kFloat);
        for (int64_t first = 0; first < count; first += kScriptTogether) {
            const int64_t last = std::min(first + kScriptTogether, count);
            const at::Tensor features = net_(script_input(net_, bytes.slice(0, first, last)));
            if (features.size(1) != protocol().dimension)
                user_error(fmt::format("features: {} of a picture and {} of another; expected as many of each", features.size(1),
                                       protocol().dimension));
            out.slice(0, first, last).copy_(features);
        }
        return out;
    }

    ScriptNet net_;
};

}  // namespace

std::unique_ptr<Features> make_script_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file) {
    ScriptNet net(file, device);
    const std::string colours = net.asks_for_features() ? rgb_words(format, file.string()) : "";
    FeatureProtocol protocol{.features = "torchscript",
                             .definition = fmt::format("forward(pictures{}) of a TorchScript program",
                                                       net.asks_for_features() ? ", return_features=true" : ""),
                             .sha256 = net.sha256(),
                             .resize = "none before the program" + colours,
                             .range = "8 bits as 0 ... 255",
                             .pictures = format,
                             .dimension = dimension_of(net, format, file.string())};
    return std::make_unique<ScriptFeatures>(std::move(protocol), std::move(net));
}

}  // namespace ddpm::eval
