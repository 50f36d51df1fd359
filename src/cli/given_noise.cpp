#include "cli/given_noise.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "cli/flag_names.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

GivenNoise noise_in(const std::filesystem::path& path, const std::vector<int64_t>& shape, int64_t S) {
    const SafetensorsFile file(path);
    file.verify();
    const auto read = [&](const SafetensorsEntry& entry, const std::vector<int64_t>& expected) {
        if (entry.dtype != "F32" || entry.shape != expected)
            user_error(fmt::format("{}: {} is {} [{}], expected F32 [{}]", path.string(), entry.name, entry.dtype,
                                   fmt::join(entry.shape, ", "), fmt::join(expected, ", ")));
        const at::Tensor tensor = file.read(entry);
        if (!tensor.isfinite().all().item<bool>())
            user_error(fmt::format("{}: {} holds values that are not finite", path.string(), entry.name));
        return tensor;
    };
    const SafetensorsEntry *x_T = nullptr, *noise = nullptr;
    for (const SafetensorsEntry& entry : file.header().tensors) {
        if (entry.name != "x_T" && entry.name != "noise")
            user_error(fmt::format("{}: holds {}, expected x_T and perhaps noise", path.string(), quote(entry.name)));
        (entry.name == "x_T" ? x_T : noise) = &entry;
    }
    if (x_T == nullptr) user_error(fmt::format("{}: holds no x_T", path.string()));
    std::vector<int64_t> expected{x_T->shape.empty() ? 1 : std::max<int64_t>(x_T->shape[0], 1)};
    expected.insert(expected.end(), shape.begin(), shape.end());
    GivenNoise given{read(*x_T, expected), {}};
    if (noise != nullptr) {
        expected.insert(expected.begin(), S);
        given.steps = read(*noise, expected);
    }
    return given;
}

}  // namespace

GivenNoise read_noise(const std::filesystem::path& path, const std::vector<int64_t>& shape, int64_t S, const std::string& flag) {
    return naming_flag(flag, [&] { return noise_in(path, shape, S); });
}

}  // namespace ddpm::cli
