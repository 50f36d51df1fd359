#pragma once

#include <cstdint>
#include <functional>

#include <c10/core/Device.h>

namespace ddpm {

// Puts tensors of 64 KiB or more on the CPU into an Arena as large as the machine's memory from now on. That saves a third of
// a training run's memory, and the time that the kernel takes to provide fresh pages. Smaller tensors, and those that find no
// room, come from LibTorch's own allocator. Call this once in a process, before it makes tensors. In a build with the address
// sanitizer it does nothing.
void keep_tensor_memory();

// Runs `action` and returns how many bytes the tensors of this device take at its peak beyond those that are taken before it, as
// LibTorch's allocators report them.
int64_t peak_tensor_memory(const c10::Device& device, const std::function<void()>& action);

}  // namespace ddpm
