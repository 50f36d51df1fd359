#include "kernels/parallel.h"

#include <algorithm>
#include <atomic>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>

#include "kernels/scratch.h"

namespace ddpm::kernels {

namespace {

// Calls f() on every thread of LibTorch's pool. at::parallel_for can't be used: it is a template, whose loop is compiled by its
// caller; that loop is serial without the compiler's OpenMP, and with Clang's it runs on threads of another runtime than
// LibTorch's. The loop of TensorIterator is compiled into LibTorch, so that every compiler gets LibTorch's threads.
template <class F>
void on_each_thread(const F& f) {
    constexpr int64_t more_than_threads = 4096;
    static at::Tensor elements = at::empty({more_than_threads}, at::kByte);
    static at::TensorIterator iterator = at::TensorIterator::nullary_op(elements);
    iterator.for_each([&](char**, const int64_t*, int64_t, int64_t) { f(); }, /*grain_size=*/1);
}

// Returns the floats of a thread's share, which begins on a cache line and is at least a line longer than it need be: if shares
// were powers of two apart, they would compete for the same place in the caches.
int64_t share_of(int64_t floats) { return (floats + 31) / 16 * 16; }

}  // namespace

int64_t thread_count() { return at::get_num_threads(); }

void run_parallel(int64_t count, int64_t scratch_floats, void (*f)(const void* context, int64_t i, float* scratch),
                  const void* context) {
    const int64_t workers = at::in_parallel_region() ? 1 : std::min(count, thread_count());
    if (workers <= 0) return;
    const int64_t share = scratch_floats == 0 ? 0 : share_of(scratch_floats);
    const Scratch scratch(workers * share);
    if (workers == 1) {
        for (int64_t i = 0; i < count; ++i) f(context, i, scratch.floats());
        return;
    }
    std::atomic<int64_t> next = 0;
    on_each_thread([&] {
        const int64_t worker = at::get_thread_num();
        if (worker >= workers) return;
        float* own = share == 0 ? nullptr : scratch.floats() + worker * share;
        for (int64_t i = next++; i < count; i = next++) f(context, i, own);
    });
}

}  // namespace ddpm::kernels
