#include "ddpm/sampling/noise.h"

#include <ATen/ATen.h>

#include "ddpm/kernels/noise.h"

namespace ddpm {

at::Tensor image_noise(uint64_t seed, Purpose purpose, int64_t step, int64_t first, int64_t count,
                       const std::vector<int64_t>& shape, const c10::Device& device) {
    std::vector<int64_t> batch_shape = {count};
    batch_shape.insert(batch_shape.end(), shape.begin(), shape.end());
    const at::Tensor noise = at::empty(batch_shape, at::TensorOptions(at::kFloat).device(device));
    fill_normal(noise, seed, purpose, static_cast<uint64_t>(step), static_cast<uint64_t>(first));
    return noise;
}

at::Tensor start_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape, const c10::Device& device) {
    return image_noise(seed, Purpose::sample_start, 0, first, count, shape, device);
}

NoiseSource step_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape, const c10::Device& device) {
    return [=](int64_t i) { return image_noise(seed, Purpose::sample_noise, i, first, count, shape, device); };
}

}  // namespace ddpm
