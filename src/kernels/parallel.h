#pragma once

#include <cstdint>

namespace ddpm::kernels {

// Threads of LibTorch's pool that the loops below use: those of at::set_num_threads.
int64_t thread_count();

// f(context, i, scratch) for every i of 0 … count − 1, in any order and on any thread of LibTorch's pool; on this thread alone
// inside of a loop that is parallel already. scratch: `scratch_floats` floats of the thread's own, undefined in content and
// aligned to 64 bytes. They are taken before the loop begins: when there is no memory for them, this throws c10::Error.
// f must not throw.
void run_parallel(int64_t count, int64_t scratch_floats, void (*f)(const void* context, int64_t i, float* scratch),
                  const void* context);

// f(i) for every i of 0 … count − 1.
template <class F>
void parallel_for(int64_t count, const F& f) {
    run_parallel(
        count, 0, [](const void* context, int64_t i, float*) { (*static_cast<const F*>(context))(i); }, &f);
}

// f(i, scratch) for every i of 0 … count − 1.
template <class F>
void parallel_for(int64_t count, int64_t scratch_floats, const F& f) {
    run_parallel(
        count, scratch_floats,
        [](const void* context, int64_t i, float* scratch) { (*static_cast<const F*>(context))(i, scratch); }, &f);
}

}  // namespace ddpm::kernels
