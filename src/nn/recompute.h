#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm::nn {

// Returns body(inputs), but keeps only the inputs for gradients, which run `body` again for what lies between (Chen et
// al., arXiv 1604.06174), with the same autocast and the same random numbers. This costs one forward pass more and
// needs the memory of one `body` instead of all. `body` has one result and captures its parameters; at least one input
// needs a gradient. With gradients off it only calls `body`.
at::Tensor recompute(const std::vector<at::Tensor>& inputs, const std::function<at::Tensor(const std::vector<at::Tensor>&)>& body);

}  // namespace ddpm::nn
