#pragma once

#include <cstdint>
#include <memory>

namespace ddpm::kernels {

// Memory for one call of a kernel, uninitialised, from LibTorch's CPU allocator: whatever watches that allocator (the memory
// forecast) sees this memory too. The constructor throws LibTorch's exception if there is no memory, so it must stand outside
// of parallel_for's loops, which must not throw.
class Scratch {
public:
    explicit Scratch(int64_t floats);

    float* floats() const { return memory_; }  // aligned to 64 bytes; null for a Scratch of no floats

private:
    std::unique_ptr<void, void (*)(void*)> owner_;
    float* memory_;
};

}  // namespace ddpm::kernels
