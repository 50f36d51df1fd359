#include "ddpm/nn/init.h"

#include <cmath>
#include <string>
#include <vector>

#include "ddpm/core/random.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

namespace {

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool starts_at_zero(const std::string& name) {
    return ends_with(name, ".conv2.weight") || ends_with(name, ".to_out.0.weight") || name == "conv_out.weight";
}

// Returns a of variance scaling, "fan_avg", uniform: the interval (−a, a) has variance a²/3 = 1/((fan_in + fan_out)/2).
double uniform_bound(const at::Tensor& weight) {
    const int64_t window = weight.dim() == 4 ? weight.size(2) * weight.size(3) : 1;
    return std::sqrt(6.0 / static_cast<double>((weight.size(0) + weight.size(1)) * window));
}

}  // namespace

void initialize_weights(UNet2D& unet, uint64_t seed) {
    const at::NoGradGuard no_grad;
    uint64_t index = 0;
    for (auto& item : unet.named_parameters()) {
        const std::string& name = item.key();
        at::Tensor& parameter = item.value();
        RandomStream random(seed, Purpose::weights, 0, index++);
        const bool table = name == "class_embedding.weight" || name == "time_proj.weight";
        if (table || (parameter.dim() > 1 && !starts_at_zero(name))) {
            std::vector<float> values(static_cast<size_t>(parameter.numel()));
            if (table) {
                random.fill_normal(values.data(), values.size());
            } else {
                const double bound = uniform_bound(parameter);
                for (float& value : values) value = static_cast<float>(random.uniform(-bound, bound));
            }
            parameter.copy_(at::from_blob(values.data(), parameter.sizes(), at::kFloat));
            if (parameter.dim() == 1) parameter.mul_(16);
        } else if (parameter.dim() == 1 && ends_with(name, ".weight")) {
            parameter.fill_(1);
        } else {
            parameter.zero_();
        }
    }
}

}  // namespace ddpm
