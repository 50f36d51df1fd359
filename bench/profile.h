#pragma once

#include <string>

namespace ddpm {

// From start() to stop(): the time that each operator takes by itself, without those it calls, on the calling thread.
// Operators are LibTorch's and what the fast kernels record. `gpu`: the time of each kernel on the GPU instead, a replayed
// recording's too.
void start_profile(bool gpu);

// A Markdown table of the operators, those that take most first, down to a hundredth; times are for one of `steps` steps.
std::string stop_profile(bool gpu, int steps);

}  // namespace ddpm
