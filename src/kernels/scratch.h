#pragma once

#include <cstddef>

#include <hwy/aligned_allocator.h>

namespace ddpm {

// Memory that a kernel's thread keeps between calls. What it holds is undefined.
class Scratch {
public:
    // At least `count` numbers, aligned for any vector.
    template <class T>
    T* of(size_t count) {
        if (count * sizeof(T) > size_) {
            size_ = count * sizeof(T);
            memory_ = hwy::AllocateAligned<unsigned char>(size_);
        }
        return reinterpret_cast<T*>(memory_.get());
    }
    float* floats(size_t count) { return of<float>(count); }

private:
    hwy::AlignedFreeUniquePtr<unsigned char[]> memory_;
    size_t size_ = 0;
};

}  // namespace ddpm
