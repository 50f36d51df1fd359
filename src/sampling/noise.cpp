#include "ddpm/sampling/noise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace ddpm {

at::Tensor image_noise(uint64_t seed, Purpose purpose, int64_t step, int64_t first, int64_t count,
                       const std::vector<int64_t>& shape) {
    std::vector<int64_t> batch_shape = {count};
    batch_shape.insert(batch_shape.end(), shape.begin(), shape.end());
    at::Tensor noise = at::empty(batch_shape, at::kFloat);
    const int64_t size = count == 0 ? 0 : noise.numel() / count;
    float* out = noise.mutable_data_ptr<float>();
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n)
            RandomStream(seed, purpose, step, first + n).fill_normal(out + n * size, size);
    });
    return noise;
}

at::Tensor start_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape) {
    return image_noise(seed, Purpose::sample_start, 0, first, count, shape);
}

NoiseSource step_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape) {
    return [=](int64_t i) { return image_noise(seed, Purpose::sample_noise, i, first, count, shape); };
}

}  // namespace ddpm
