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
    std::vector<int64_t> label;  // [count]; −1 where there is none
};

// user_error: the order of an epoch, 8 bytes an example, is more than this machine's memory holds (a `length` of thousands
// of millions). To be had before the work.
void check_epoch_fits(const Dataset& dataset);

// Batches that follow from (seed, attempt, batch number) alone, whatever the number of threads and whatever was loaded
// before. Example i of batch k stands at position p = k · batch_size + i of an endless sequence; epoch p / size() is a
// permutation of the data set of its own, so that every example comes once an epoch and a batch may span two of them.
// Another `attempt` is another sequence (to go on with other batches after a step that went wrong).
class BatchLoader {
public:
    // `dataset` must outlive the loader. batch_size ≥ 1, threads ≥ 1. user_error: check_epoch_fits.
    BatchLoader(const Dataset& dataset, int64_t batch_size, uint64_t seed, int threads, uint64_t attempt = 0);
    ~BatchLoader();
    BatchLoader(const BatchLoader&) = delete;
    BatchLoader& operator=(const BatchLoader&) = delete;

    // Batch `number` ≥ 0. The ones that follow it are prepared in the background, so that counting up costs no waiting;
    // any other order works too and starts the preparation anew. Rethrows the error of the batch's first example that
    // could not be read. For one thread at a time.
    Batch load(int64_t number);

private:
    // A batch in the making: examples [0, taken) are done or in some worker's hands, `finished` of them are done.
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
