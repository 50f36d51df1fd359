#pragma once

namespace ddpm {

// From now on large tensors on the CPU lie in an Arena as large as the machine's memory, which saves a third of a training
// run's and the time that the kernel takes for fresh pages. What is small, or finds no place, comes from LibTorch's own
// allocator, as everything does in a build with the address sanitizer. Once a process, before its tensors.
void keep_tensor_memory();

}  // namespace ddpm
