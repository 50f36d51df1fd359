#pragma once

#include <cstddef>
#include <string>

namespace ddpm {

// Whether this machine has the vectors that the fast kernels are written for: AVX2 or better, NEON and the like.
bool has_wide_vectors();

// Whether this machine multiplies bfloat16 numbers in one instruction (AVX-512 BF16) and the fast kernels may use it.
bool has_bf16_products();

// Returns the size in bytes of the vectors that the fast kernels use now.
size_t vector_bytes();

// Limits the fast kernels to an instruction set from now on: avx512 (no limit) or avx2. This serves to measure what a lesser
// machine would do; LibTorch has its own limits (ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA). An unknown name is a user_error
// whose key is `path`.
void cap_instruction_set(const std::string& name, const std::string& path);

}  // namespace ddpm
