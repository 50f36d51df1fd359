#pragma once

#include <cstdint>

namespace ddpm::kernels {

// Returns how many threads of LibTorch's pool the loops below use: the number of at::set_num_threads.
int64_t thread_count();

// Calls f(context, i, scratch) for every i of 0 … count − 1, in any order and on any thread of LibTorch's pool; inside a loop
// that is parallel already, on this thread alone. scratch: `scratch_floats` uninitialised floats of the thread's own, aligned
// to 64 bytes. They are allocated before the loop begins; if there is no memory for them, this throws c10::Error. f must not
// throw.
void run_parallel(int64_t count, int64_t scratch_floats, void (*f)(const void* context, int64_t i, float* scratch),
                  const void* context);

// Calls f(i) for every i of 0 … count − 1.
template <class F>
void parallel_for(int64_t count, const F& f) {
    run_parallel(
        count, 0, [](const void* context, int64_t i, float*) { (*static_cast<const F*>(context))(i); }, &f);
}

// Calls f(i, scratch) for every i of 0 … count − 1.
template <class F>
void parallel_for(int64_t count, int64_t scratch_floats, const F& f) {
    run_parallel(
        count, scratch_floats,
        [](const void* context, int64_t i, float* scratch) { (*static_cast<const F*>(context))(i, scratch); }, &f);
}

}  // namespace ddpm::kernels
