#pragma once

#include <string>

namespace ddpm {

// Measures, until stop_profile(), the time that each operator takes by itself on the calling thread, without the operators that
// it calls. Operators are LibTorch's and those that the fast kernels record. With `gpu` it measures the time of each kernel on the
// GPU instead, also in replayed recordings.
void start_profile(bool gpu);

// Returns a Markdown table of the operators in descending order of time, down to 1 % of the whole (0.3 % on a GPU). Times are for
// one of `steps` steps.
std::string stop_profile(bool gpu, int steps);

}  // namespace ddpm
