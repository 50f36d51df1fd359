#pragma once

namespace ddpm {

// The measured limits of this machine with the threads in use: the roofline that kernels are compared with.
struct Machine {
    double fp32 = 0;  // GFLOP/s of fused multiply-adds in float32
    double bf16 = 0;  // GFLOP/s of bfloat16 products summed in float32; the same as fp32 if there is no such instruction
    double copy = 0;  // GB/s of copying far beyond the caches; bytes read and bytes written both count
};

Machine measure_machine();

}  // namespace ddpm
