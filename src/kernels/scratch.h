#pragma once

#include <cstddef>

#include <hwy/aligned_allocator.h>

namespace ddpm {

// Memory that a kernel's thread keeps between calls. What it holds is undefined.
class Scratch {
public:
    // At least `count` floats, aligned for any vector.
    float* floats(size_t count) {
        if (count > size_) {
            memory_ = hwy::AllocateAligned<float>(count);
            size_ = count;
        }
        return memory_.get();
    }

private:
    hwy::AlignedFreeUniquePtr<float[]> memory_;
    size_t size_ = 0;
};

}  // namespace ddpm
