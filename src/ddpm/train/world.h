#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm {

// The processes that train one network together. Each of them is a rank. They divide a step's micro-batches among themselves, and
// all end the step with the same weights. Every rank must make the same calls in the same order.
class World {
public:
    virtual ~World() = default;

    virtual int64_t rank() const = 0;  // 0 … size() − 1
    virtual int64_t size() const = 0;

    // Replaces each tensor by its sum over the ranks, which is the same on all of them to the bit. All ranks must give tensors of
    // the same shapes and types, each on its own device.
    virtual void all_reduce(const std::vector<at::Tensor>& tensors) = 0;

    // Returns whether `here` is true on any rank.
    virtual bool any(bool here) = 0;

    // A world of one process, rank 0.
    static World& alone();
};

}  // namespace ddpm
