#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm {

// body(inputs), of which the gradients' pass keeps the inputs alone: it runs `body` again for what lies between (Chen et
// al., arXiv 1604.06174), with the same autocast and the same random numbers. One forward pass more for the memory of one
// `body` instead of all. `body` has one result and reads its parameters from where it was made; at least one input needs a
// gradient. Without gradients it is body(inputs).
at::Tensor recompute(const std::vector<at::Tensor>& inputs,
                     const std::function<at::Tensor(const std::vector<at::Tensor>&)>& body);

}  // namespace ddpm
