#include "eval/inception_v3.h"

#include <initializer_list>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/text.h"

namespace ddpm::eval {

namespace {

constexpr double kEpsilon = 1e-3;  // of the batch norms
constexpr int64_t kClasses = 1008, kSpatialChannels = 7;
constexpr const char* kBatchNorm[] = {"weight", "bias", "running_mean", "running_var"};

// A kernel, and how far it moves. Zeros are laid around the picture so that its size stays, unless the convolution is `valid`.
struct InceptionKernel {
    int64_t height, width, stride = 1;
    bool valid = false;
};
constexpr InceptionKernel k1{1, 1}, k3{3, 3}, k5{5, 5}, k1x3{1, 3}, k3x1{3, 1}, k1x7{1, 7}, k7x1{7, 1};
constexpr InceptionKernel kReducing{3, 3, 2, true}, kValid{3, 3, 1, true};

// The network is written once, over `Ops`. Their conv is a convolution, batch norm and ReLU; a Value is what goes through them.
template <class Ops>
struct InceptionGraph {
    using Value = typename Ops::Value;
    Ops& ops;

    Value conv(const std::string& name, const Value& x, int64_t channels, const InceptionKernel& kernel) const {
        return ops.conv(name, x, channels, kernel);
    }

    Value block_a(const std::string& name, const Value& x, int64_t pooled) const {
        const Value a = conv(name + ".branch1x1", x, 64, k1);
        const Value b = conv(name + ".branch5x5_2", conv(name + ".branch5x5_1", x, 48, k1), 64, k5);
        Value c = conv(name + ".branch3x3dbl_1", x, 64, k1);
        c = conv(name + ".branch3x3dbl_3", conv(name + ".branch3x3dbl_2", c, 96, k3), 96, k3);
        return ops.cat({a, b, c, conv(name + ".branch_pool", ops.average(x), pooled, k1)});
    }

    Value block_b(const std::string& name, const Value& x) const {
        const Value a = conv(name + ".branch3x3", x, 384, kReducing);
        Value b = conv(name + ".branch3x3dbl_1", x, 64, k1);
        b = conv(name + ".branch3x3dbl_3", conv(name + ".branch3x3dbl_2", b, 96, k3), 96, kReducing);
        return ops.cat({a, b, ops.reducing_max(x)});
    }

    Value first_of_c(const std::string& name, const Value& x) const { return conv(name + ".branch1x1", x, 192, k1); }

    Value block_c(const std::string& name, const Value& x, int64_t inner) const {
        const Value a = first_of_c(name, x);
        Value b = conv(name + ".branch7x7_1", x, inner, k1);
        b = conv(name + ".branch7x7_3", conv(name + ".branch7x7_2", b, inner, k1x7), 192, k7x1);
        Value c = conv(name + ".branch7x7dbl_1", x, inner, k1);
        c = conv(name + ".branch7x7dbl_3", conv(name + ".branch7x7dbl_2", c, inner, k7x1), inner, k1x7);
        c = conv(name + ".branch7x7dbl_5", conv(name + ".branch7x7dbl_4", c, inner, k7x1), 192, k1x7);
        return ops.cat({a, b, c, conv(name + ".branch_pool", ops.average(x), 192, k1)});
    }

    Value block_d(const std::string& name, const Value& x) const {
        const Value a = conv(name + ".branch3x3_2", conv(name + ".branch3x3_1", x, 192, k1), 320, kReducing);
        Value b = conv(name + ".branch7x7x3_2", conv(name + ".branch7x7x3_1", x, 192, k1), 192, k1x7);
        b = conv(name + ".branch7x7x3_4", conv(name + ".branch7x7x3_3", b, 192, k7x1), 192, kReducing);
        return ops.cat({a, b, ops.reducing_max(x)});
    }

    Value block_e(const std::string& name, const Value& x, const Value& pooled) const {
        const Value a = conv(name + ".branch1x1", x, 320, k1);
        const auto both = [&](const std::string& first, const std::string& second, const Value& inner) {
            return ops.cat({conv(name + first, inner, 384, k1x3), conv(name + second, inner, 384, k3x1)});
        };
        const Value b = both(".branch3x3_2a", ".branch3x3_2b", conv(name + ".branch3x3_1", x, 384, k1));
        const Value c = conv(name + ".branch3x3dbl_2", conv(name + ".branch3x3dbl_1", x, 448, k1), 384, k3);
        return ops.cat({a, b, both(".branch3x3dbl_3a", ".branch3x3dbl_3b", c), conv(name + ".branch_pool", pooled, 192, k1)});
    }

    Value up_to_mixed_6c(Value x) const {
        x = conv("Conv2d_1a_3x3", x, 32, kReducing);
        x = conv("Conv2d_2a_3x3", x, 32, kValid);
        x = ops.reducing_max(conv("Conv2d_2b_3x3", x, 64, k3));
        x = conv("Conv2d_3b_1x1", x, 80, k1);
        x = ops.reducing_max(conv("Conv2d_4a_3x3", x, 192, kValid));
        x = block_a("Mixed_5b", x, 32);
        x = block_a("Mixed_5c", x, 64);
        x = block_a("Mixed_5d", x, 64);
        x = block_b("Mixed_6a", x);
        x = block_c("Mixed_6b", x, 128);
        return block_c("Mixed_6c", x, 160);
    }

    Value spatial(const Value& x) const { return first_of_c("Mixed_6d", up_to_mixed_6c(x)); }

    Value last_block(Value x) const {
        x = up_to_mixed_6c(x);
        x = block_c("Mixed_6d", x, 160);
        x = block_c("Mixed_6e", x, 192);
        x = block_d("Mixed_7a", x);
        x = block_e("Mixed_7b", x, ops.average(x));
        return block_e("Mixed_7c", x, ops.max(x));
    }
};

// Notes the tensors. A value is its number of channels.
struct ShapeOps {
    using Value = int64_t;
    std::vector<std::pair<std::string, std::vector<int64_t>>> tensors;

    Value conv(const std::string& name, Value channels, int64_t made, const InceptionKernel& kernel) {
        tensors.emplace_back(name + ".conv.weight", std::vector<int64_t>{made, channels, kernel.height, kernel.width});
        for (const char* part : kBatchNorm) tensors.emplace_back(name + ".bn." + part, std::vector<int64_t>{made});
        return made;
    }
    static Value cat(std::initializer_list<Value> parts) {
        Value sum = 0;
        for (const Value part : parts) sum += part;
        return sum;
    }
    static Value average(Value x) { return x; }
    static Value max(Value x) { return x; }
    static Value reducing_max(Value x) { return x; }
};

std::string listed(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// Says what is wrong with a tensor's description, or nothing.
std::string fault_of(const SafetensorsEntry& entry, const std::vector<int64_t>& shape) {
    if (entry.shape != shape)
        return fmt::format("{} has the shape {}, expected {}", entry.name, listed(entry.shape), listed(shape));
    if (at::isFloatingType(scalar_type_of(entry.dtype))) return "";
    return fmt::format("{} has the dtype {}, expected floating numbers", entry.name, entry.dtype);
}

// Throws a user_error unless the file holds the tensors of this network, the classifier or not, and nothing else.
void check_tensors(const WeightSource& source) {
    std::vector<std::string> faults;
    std::set<std::string> known;
    const auto expect = [&](const std::string& name, const std::vector<int64_t>& shape, bool needed) {
        known.insert(name);
        const auto found = source.items().find(name);
        if (found == source.items().end()) {
            if (needed) faults.push_back(name + " is missing");
        } else if (const std::string fault = fault_of(found->second.entry, shape); !fault.empty()) {
            faults.push_back(fault);
        }
    };
    for (const auto& [name, shape] : InceptionV3::tensors()) {
        expect(name, shape, true);
        if (name.ends_with("running_var")) known.insert(name.substr(0, name.rfind('.')) + ".num_batches_tracked");
    }
    expect("fc.weight", {kClasses, InceptionV3::kPooled}, false);
    expect("fc.bias", {kClasses}, false);
    for (const auto& [name, item] : source.items())
        if (!known.contains(name)) faults.push_back(one_line(name) + " is not of this network");
    if (faults.empty()) return;
    constexpr size_t kShown = 3;
    const std::string more = faults.size() > kShown ? fmt::format("; and {} more", faults.size() - kShown) : "";
    if (faults.size() > kShown) faults.resize(kShown);
    user_error(fmt::format("{}: does not fit Inception v3 of 2015-12-05: {}{}", source.path().string(), join(faults, "; "), more),
               "expected pt_inception-2015-12-05-6726825d.pth of pytorch-fid; torchvision's Inception has other weights");
}

}  // namespace

// Computes. A value is [n, channels, height, width].
struct InceptionTensors {
    using Value = at::Tensor;
    const std::map<std::string, InceptionV3::Convolution>& convolutions;

    Value conv(const std::string& name, const Value& x, int64_t /*channels*/, const InceptionKernel& kernel) const {
        const auto& [weight, bias] = convolutions.at(name);
        const int64_t rows = kernel.valid ? 0 : kernel.height / 2, columns = kernel.valid ? 0 : kernel.width / 2;
        return at::conv2d(x, weight, bias, {kernel.stride, kernel.stride}, {rows, columns}).relu_();
    }
    static Value cat(std::initializer_list<Value> parts) { return at::cat(std::vector<Value>(parts), 1); }
    static Value average(const Value& x) { return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, /*count_include_pad=*/false); }
    static Value max(const Value& x) { return at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1}); }
    static Value reducing_max(const Value& x) { return at::max_pool2d(x, {3, 3}, {2, 2}); }
};

std::vector<std::pair<std::string, std::vector<int64_t>>> InceptionV3::tensors() {
    ShapeOps shapes;
    InceptionGraph<ShapeOps>{shapes}.last_block(3);
    return std::move(shapes.tensors);
}

InceptionV3::InceptionV3(const std::function<at::Tensor(const std::string& name)>& weight, const std::string& source,
                         c10::Device device) {
    const c10::InferenceMode no_gradients;
    const auto sound = [&](const std::string& name) {
        const at::Tensor tensor = weight(name).to(at::kCPU, at::kDouble);
        if (!at::isfinite(tensor).all().item<bool>())
            user_error(fmt::format("{}: {} has numbers that are not finite", source, name));
        return tensor;
    };
    for (const auto& [full, shape] : tensors()) {
        if (!full.ends_with(".conv.weight")) continue;
        const std::string name = full.substr(0, full.size() - std::string(".conv.weight").size());
        const at::Tensor variance = sound(name + ".bn.running_var");
        if (variance.lt(0).any().item<bool>()) user_error(fmt::format("{}: {}.bn.running_var has negative numbers", source, name));
        const at::Tensor scale = sound(name + ".bn.weight") / (variance + kEpsilon).sqrt();
        const at::Tensor folded = sound(full) * scale.view({-1, 1, 1, 1});
        const at::Tensor bias = sound(name + ".bn.bias") - sound(name + ".bn.running_mean") * scale;
        convolutions_[name] = {folded.to(device, at::kFloat).contiguous(at::MemoryFormat::ChannelsLast),
                               bias.to(device, at::kFloat)};
    }
}

at::Tensor InceptionV3::pooled(const at::Tensor& pictures) const {
    const c10::InferenceMode no_gradients;
    const InceptionTensors ops{convolutions_};
    const at::Tensor x = pictures.contiguous(at::MemoryFormat::ChannelsLast);
    return InceptionGraph<const InceptionTensors>{ops}.last_block(x).mean(at::IntArrayRef{2, 3});
}

at::Tensor InceptionV3::spatial(const at::Tensor& pictures) const {
    const c10::InferenceMode no_gradients;
    const InceptionTensors ops{convolutions_};
    const at::Tensor x = pictures.contiguous(at::MemoryFormat::ChannelsLast);
    return InceptionGraph<const InceptionTensors>{ops}.spatial(x).slice(1, 0, kSpatialChannels).permute({0, 2, 3, 1}).flatten(1);
}

InceptionV3 read_inception(const std::filesystem::path& file, c10::Device device) {
    expect_kind(file, {FileKind::safetensors, FileKind::zip, FileKind::pickle}, "a file of weights");
    const WeightSource source(file);
    check_tensors(source);
    source.verify();
    return {[&](const std::string& name) { return source.read(source.items().at(name)); }, file.string(), device};
}

}  // namespace ddpm::eval
