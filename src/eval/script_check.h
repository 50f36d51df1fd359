#pragma once

#include <string>

#include <torch/csrc/jit/api/module.h>

namespace ddpm::eval {

// Refuses a TorchScript program that does more than compute: it walks the graph of forward, with everything that it calls put in
// place, through all blocks, and accepts operators by name, those that networks for pictures are made of. Others are a user error
// that begins with `source` and names the operator: reading and writing files, random numbers, changes of the module, calls that
// can't be resolved. So are attributes of the module, and of those in it, that are neither numbers nor tensors nor modules.
void check_script(const torch::jit::Module& module, const std::string& source);

// Whether an operator, "aten::conv2d", is accepted.
bool is_allowed_operator(const std::string& name);

}  // namespace ddpm::eval
