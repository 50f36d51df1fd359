#include "ddpm/kernels/noise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/ATen.h>

#include "kernels/gpu.h"
#include "kernels/parallel.h"

namespace ddpm {

void fill_normal(const at::Tensor& out, uint64_t seed, Purpose purpose, uint64_t step, uint64_t first) {
    if (out.numel() == 0) return;
    if (out.is_cuda() && kernels::gpu()) {
        const RandomStream stream(seed, purpose, step, first);
        return kernels::gpu()->fill_normal(out, stream.key(), stream.counter());
    }
    const at::Tensor here = out.is_cpu() ? out : at::empty(out.sizes(), at::kFloat);
    const int64_t rows = here.size(0), size = here.numel() / rows;
    float* numbers = here.mutable_data_ptr<float>();
    kernels::parallel_for(rows, [&](int64_t n) {
        RandomStream(seed, purpose, step, first + static_cast<uint64_t>(n))
            .fill_normal(numbers + n * size, static_cast<size_t>(size));
    });
    if (!out.is_cpu()) out.copy_(here);
}

namespace {

// Each block of Philox, under an example's seed, decides about four numbers of the example, in the order of its pixels.
void fill_mask(bool* kept, int64_t size, uint64_t threshold, const int64_t* seeds, int64_t examples, int64_t layer) {
    const int64_t blocks = (size + 3) / 4;
    kernels::parallel_for(examples, [&](int64_t n) {
        const auto seed = static_cast<uint64_t>(seeds[n]);
        for (int64_t block = 0; block < blocks; ++block) {
            const std::array<uint32_t, 4> bits = philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(layer), 0, 0},
                                                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
            for (int64_t k = 4 * block; k < std::min(4 * block + 4, size); ++k)
                kept[n * size + k] = bits[static_cast<size_t>(k - 4 * block)] >= threshold;
        }
    });
}

}  // namespace

at::Tensor dropout_mask(const at::Tensor& x, double probability, const at::Tensor& seeds, int64_t layer) {
    TORCH_CHECK(x.dim() == 4 && seeds.dim() == 1 && seeds.size(0) == x.size(0), "dropout: ", x.size(0),
                " examples, and seeds of the shape ", seeds.sizes());
    const auto threshold = static_cast<uint64_t>(std::llround(std::ldexp(probability, 32)));
    const auto empty_on = [&](const c10::Device& device) {
        return at::empty(x.sizes(), at::TensorOptions(at::kBool).device(device), at::MemoryFormat::ChannelsLast);
    };
    if (x.numel() == 0) return empty_on(x.device());
    if (x.is_cuda() && kernels::gpu()) {
        const at::Tensor kept = empty_on(x.device());
        kernels::gpu()->fill_dropout_mask(kept, threshold, seeds, layer);
        return kept;
    }
    const at::Tensor kept = empty_on(at::kCPU), seeds_here = seeds.cpu().contiguous();
    fill_mask(kept.mutable_data_ptr<bool>(), x.numel() / x.size(0), threshold, seeds_here.const_data_ptr<int64_t>(), x.size(0),
              layer);
    return kept.to(x.device());
}

}  // namespace ddpm
