#include "ddpm/kernels/noise.h"

#include <ATen/ATen.h>

#include "kernels/gpu.h"
#include "kernels/parallel.h"

namespace ddpm {

void fill_normal(const at::Tensor& out, uint64_t seed, Purpose purpose, uint64_t step, uint64_t first) {
    if (out.numel() == 0) return;
    if (out.is_cuda() && gpu()) {
        const RandomStream stream(seed, purpose, step, first);
        return gpu()->fill_normal(out, stream.key(), stream.counter());
    }
    const at::Tensor here = out.is_cpu() ? out : at::empty(out.sizes(), at::kFloat);
    const int64_t rows = here.size(0), size = here.numel() / rows;
    float* numbers = here.mutable_data_ptr<float>();
    parallel_for(rows, [&](int64_t n) {
        RandomStream(seed, purpose, step, first + static_cast<uint64_t>(n))
            .fill_normal(numbers + n * size, static_cast<size_t>(size));
    });
    if (!out.is_cpu()) out.copy_(here);
}

}  // namespace ddpm
