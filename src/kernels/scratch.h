#pragma once

#include <cstdint>
#include <memory>

namespace ddpm::kernels {

// Memory for one call of a kernel, from LibTorch's CPU allocator: what watches that (the memory forecast) sees it, and running
// out of it is LibTorch's exception. Its content is undefined. It must be made outside of parallel_for's loops, which may not
// throw.
class Scratch {
public:
    explicit Scratch(int64_t floats);

    float* floats() const { return memory_; }  // aligned to 64 bytes; null for a Scratch of no floats

private:
    std::unique_ptr<void, void (*)(void*)> owner_;
    float* memory_;
};

}  // namespace ddpm::kernels
