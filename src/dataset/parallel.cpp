#include "dataset/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <spdlog/spdlog.h>

namespace ddpm::dataset {

namespace {

// Threads that are waited for at the end. (Apple's library has no std::jthread.)
struct Workers {
    std::vector<std::thread> threads;
    ~Workers() {
        for (std::thread& thread : threads) thread.join();
    }
};

}  // namespace

void parallel_for(int64_t count, int threads, const std::string& what, const std::function<void(int64_t)>& body) {
    std::mutex mutex;
    std::condition_variable finished;
    std::exception_ptr error;
    std::atomic<int64_t> next{0}, done{0};

    const auto work = [&] {
        try {
            for (int64_t i; (i = next++) < count; ++done) body(i);
        } catch (...) {
            std::lock_guard lock(mutex);
            if (!error) error = std::current_exception();
            next = count;
        }
    };

    int running = 0;  // outlives the threads, which count it down
    Workers workers;
    const int64_t wanted = std::min<int64_t>(std::max(threads, 1), count);
    // A system that is short of threads gives fewer of them; the work is the same.
    try {
        while (static_cast<int64_t>(workers.threads.size()) < wanted) {
            workers.threads.emplace_back([&] {
                work();
                std::lock_guard lock(mutex);
                if (--running == 0) finished.notify_all();
            });
            std::lock_guard lock(mutex);
            ++running;
        }
    } catch (const std::system_error&) {
        if (workers.threads.empty()) work();
    }

    std::unique_lock lock(mutex);
    while (!finished.wait_for(lock, std::chrono::seconds(10), [&] { return running == 0; }))
        spdlog::info("{}: {} of {}", what, done.load(), count);
    if (error) std::rethrow_exception(error);
}

}  // namespace ddpm::dataset
