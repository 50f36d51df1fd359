#pragma once

#include <cstdint>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace ddpm {

// Threads that parallel_for uses: those of at::set_num_threads.
inline int64_t thread_count() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

// f(i) for every i of 0 … count − 1, in any order and on any thread. f must not throw.
template <class F>
void parallel_for(int64_t count, const F& f) {
#ifdef _OPENMP
    if (count > 1 && thread_count() > 1 && !omp_in_parallel()) {
#pragma omp parallel for schedule(dynamic)
        for (int64_t i = 0; i < count; ++i) f(i);
        return;
    }
#endif
    for (int64_t i = 0; i < count; ++i) f(i);
}

}  // namespace ddpm
