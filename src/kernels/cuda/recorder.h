#pragma once

#include <memory>

#include "kernels/gpu.h"

namespace ddpm::kernels {

std::unique_ptr<Recorder> make_graph_recorder(const c10::Device& device);

}  // namespace ddpm::kernels
