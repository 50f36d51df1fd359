#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm {

// The processes that train one network together. Each is a rank; a step's micro-batches are shared out among them, and each
// ends the step with the same weights. What is called here is called by every rank, in the same order.
class World {
public:
    virtual ~World() = default;

    virtual int64_t rank() const = 0;  // 0 … size() − 1
    virtual int64_t size() const = 0;

    // Each tensor becomes its sum over the ranks, the same on all of them to the bit. All ranks give tensors of the same shapes
    // and types, each on its own device.
    virtual void all_reduce(const std::vector<at::Tensor>& tensors) = 0;

    // Whether it is so on any rank.
    virtual bool any(bool here) = 0;

    // Rank 0 of 1, for whom there is nothing to add or to ask.
    static World& alone();
};

}  // namespace ddpm
