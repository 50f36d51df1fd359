#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ddpm/dataset/dataset.h"

namespace ddpm {

struct Batch {
    int64_t count = 0, channels = 0, height = 0, width = 0;
    std::vector<float> x_start;  // [count, channels, height, width] in [-1, 1]
    std::vector<int64_t> label;  // [count]; −1 for an example without a label
};

// Throws a user_error if the order of an epoch, 8 bytes for each example, does not fit into this machine's memory
// (dataset.length may be thousands of millions). Call it before the work.
void check_epoch_fits(const Dataset& dataset);

// Loads batches that follow from (seed, attempt, batch number) alone, whatever the number of threads and whatever was loaded
// before. Example i of batch k stands at position p = k · batch_size + i of an endless sequence. Each epoch, p / size(), is
// another permutation of the data set, so every example comes once in an epoch, and a batch may span two epochs. Another
// `attempt` gives another sequence, so that a run can go on with other batches after a step that went wrong.
class BatchLoader {
public:
    // `dataset` must outlive the loader. batch_size ≥ 1, threads ≥ 1. Throws what check_epoch_fits throws, and a
    // runtime_failure if no thread can be started.
    BatchLoader(const Dataset& dataset, int64_t batch_size, uint64_t seed, int threads, uint64_t attempt = 0);
    ~BatchLoader();
    BatchLoader(const BatchLoader&) = delete;
    BatchLoader& operator=(const BatchLoader&) = delete;

    // Returns batch `number` ≥ 0. The next ones are prepared in the background, so that loading in ascending order waits
    // little; any other order works too, but starts the preparation anew. Rethrows the error of the first example of the
    // batch that could not be read. One thread at a time may call.
    Batch load(int64_t number);

private:
    // A batch that is being made: examples [0, taken) are done or being made by a worker, `finished` of them are done.
    struct Pending {
        int64_t number = 0;
        Batch batch;
        std::vector<int64_t> index;  // of the data set, for each example
        int64_t taken = 0, finished = 0;
        int64_t failed = -1;  // the first example that threw
        std::exception_ptr error;
    };

    std::shared_ptr<Pending> plan(int64_t number);
    int64_t index_at(int64_t position);
    void work();
    void make_example(Pending& pending, int64_t i, std::vector<uint8_t>& pixels) const;

    const Dataset& dataset_;
    const int64_t batch_size_;
    const uint64_t seed_;

    std::vector<int64_t> order_;  // the permutation of epoch order_epoch_
    int64_t order_epoch_ = -1;

    std::mutex mutex_;
    std::condition_variable work_ready_, batch_ready_;
    std::deque<std::shared_ptr<Pending>> window_;  // consecutive numbers, the next to be loaded first
    std::atomic<bool> stop_{false};
    std::vector<std::thread> workers_;
};

}  // namespace ddpm
