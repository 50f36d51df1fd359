#include "kernels/scratch.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

namespace ddpm::kernels {

namespace {

void keep(void*) {}

}  // namespace

Scratch::Scratch(int64_t floats) : owner_(nullptr, keep), memory_(nullptr) {
    if (floats == 0) return;
    c10::DataPtr block = c10::GetCPUAllocator()->allocate(static_cast<size_t>(floats) * sizeof(float));
    memory_ = static_cast<float*>(block.get());
    const auto release = block.get_deleter();
    owner_ = {block.release_context(), release};
}

}  // namespace ddpm::kernels
