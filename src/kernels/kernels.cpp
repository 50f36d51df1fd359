#include "ddpm/kernels/kernels.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/kernels/instruction_set.h"
#include "kernels/forms.h"
#include "kernels/gpu.h"

namespace ddpm {

const std::vector<Kernels>& kernel_table() {
    static const std::vector<Kernels> table = {
        {"plain", "LibTorch's operators, the reference", false, kernels::plain_conv3x3, kernels::plain_norm,
         kernels::plain_norm_conv3x3, kernels::plain_conv1x1, kernels::plain_linear, kernels::plain_attention,
         kernels::plain_gradient_norm, kernels::plain_adam},
        {"fast", "hand-written: Winograd convolutions (CPU), fused normalization, attention (CPU), optimizer; channels last", true,
         kernels::fast_conv3x3, kernels::fast_norm, kernels::fast_norm_conv3x3, kernels::fast_conv1x1, kernels::fast_linear,
         kernels::fast_attention, kernels::fast_gradient_norm, kernels::fast_adam},
    };
    return table;
}

std::vector<std::string> kernel_names() {
    std::vector<std::string> names;
    for (const Kernels& kernels : kernel_table()) names.push_back(kernels.name);
    return names;
}

const Kernels& kernels_named(std::string_view name, std::string_view path) {
    for (const Kernels& kernels : kernel_table())
        if (kernels.name == name) return kernels;
    key_error(std::string(path), unknown_name("kernels", std::string(name), kernel_names()));
}

const Kernels& plain_kernels() { return kernel_table().front(); }

std::string settle_precision(const std::string& precision, const Kernels& kernels, bool on_cpu) {
    if (precision != "auto") return precision;
    const bool pays = on_cpu ? has_bf16_products() : kernels::gpu() && kernels::gpu()->multiplies_bf16();
    return kernels.name == "fast" && pays ? "bf16" : "fp32";
}

bool prefers_channels_last(const Kernels& kernels, const c10::Device& device) {
    return kernels.channels_last && (device.is_cpu() || (device.is_cuda() && kernels::gpu()));
}

}  // namespace ddpm
