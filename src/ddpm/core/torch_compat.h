#pragma once

// The one place that knows differences between LibTorch's versions (2.11 … 2.15).

#include <torch/version.h>

#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 11)
#error "ddpm needs LibTorch 2.11 or newer"
#endif
