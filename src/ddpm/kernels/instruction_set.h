#pragma once

#include <cstddef>
#include <string>

namespace ddpm {

// Whether this machine has the vectors that the fast kernels are written for: AVX2 or better, NEON and the like.
bool has_wide_vectors();

// Whether it multiplies bfloat16 numbers in one instruction (AVX-512 BF16) that the fast kernels then use.
bool has_bf16_products();

// The size of the vectors that the fast kernels use now.
size_t vector_bytes();

// The fast kernels use no better set than this one from now on: avx512 (no limit) or avx2. For measuring what a lesser
// machine would do; LibTorch has its own limits (ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA). An unknown name is a user_error
// about `path`.
void cap_instruction_set(const std::string& name, const std::string& path);

}  // namespace ddpm
