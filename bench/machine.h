#pragma once

namespace ddpm {

// What this machine does at best on the threads at hand, measured: the roofline that kernels are held against.
struct Machine {
    double fp32 = 0;  // GFLOP/s of fused multiply-adds in float32 …
    double bf16 = 0;  // … and of products of bfloat16 summed in float32 (as fp32 where the machine has no such instruction)
    double copy = 0;  // GB/s, read and written bytes together, far beyond the caches
};

Machine measure_machine();

}  // namespace ddpm
