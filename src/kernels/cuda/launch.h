#pragma once

#include <string>

#include <cuda_runtime.h>

#include "ddpm/core/error.h"

namespace ddpm::kernels {

// Throws a runtime_failure if a launch or a call of CUDA's runtime has failed. `what` says which.
inline void check_cuda(cudaError_t status, const char* what) {
    if (status != cudaSuccess) runtime_failure(std::string("CUDA: ") + what + ": " + cudaGetErrorString(status));
}

}  // namespace ddpm::kernels
