#include "ddpm/dataset/loader.h"

#include <algorithm>
#include <numeric>
#include <system_error>
#include <utility>

#include "dataset/order.h"
#include "ddpm/image/pixels.h"

namespace ddpm {

namespace {

// How many batches are prepared at any time: enough to hide a slow picture, few enough for 256-pixel batches to fit.
constexpr int64_t kWindow = 3;
// How many examples a worker takes at once.
constexpr int64_t kChunk = 4;

}  // namespace

void check_epoch_fits(const Dataset& dataset) { dataset::check_order_fits(dataset.size(), 1); }

BatchLoader::BatchLoader(const Dataset& dataset, int64_t batch_size, uint64_t seed, int threads, uint64_t attempt)
    : dataset_(dataset), batch_size_(batch_size), seed_(attempt_seed(seed, attempt)) {
    check_epoch_fits(dataset);
    // A system that is short of threads gives fewer of them; the batches are the same.
    try {
        for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
        if (workers_.empty()) runtime_failure(std::string("can't start a thread to read pictures: ") + error.what());
    }
}

BatchLoader::~BatchLoader() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    work_ready_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

Batch BatchLoader::load(int64_t number) {
    std::unique_lock lock(mutex_);
    if (!window_.empty() && window_.front()->number != number) window_.clear();
    const int64_t known = static_cast<int64_t>(window_.size());
    // Batches are planned without the lock, so that a new epoch's permutation does not hold up the workers.
    lock.unlock();
    std::vector<std::shared_ptr<Pending>> fresh;
    for (int64_t next = number + known; next < number + kWindow; ++next) fresh.push_back(plan(next));
    lock.lock();
    window_.insert(window_.end(), fresh.begin(), fresh.end());
    work_ready_.notify_all();

    const std::shared_ptr<Pending> pending = window_.front();
    batch_ready_.wait(lock, [&] { return pending->finished == batch_size_; });
    window_.pop_front();
    if (pending->error) std::rethrow_exception(pending->error);
    return std::move(pending->batch);
}

std::shared_ptr<BatchLoader::Pending> BatchLoader::plan(int64_t number) {
    auto pending = std::make_shared<Pending>();
    pending->number = number;
    Batch& batch = pending->batch;
    batch.count = batch_size_;
    batch.channels = dataset_.channels();
    batch.height = dataset_.height();
    batch.width = dataset_.width();
    batch.x_start.resize(static_cast<size_t>(batch.count * batch.channels * batch.height * batch.width));
    batch.label.resize(static_cast<size_t>(batch.count));
    for (int64_t i = 0; i < batch_size_; ++i) pending->index.push_back(index_at(number * batch_size_ + i));
    return pending;
}

int64_t BatchLoader::index_at(int64_t position) {
    const int64_t size = dataset_.size();
    const int64_t epoch = position / size;
    if (epoch != order_epoch_) {
        order_.resize(static_cast<size_t>(size));
        std::iota(order_.begin(), order_.end(), int64_t{0});
        RandomStream stream(seed_, Purpose::data_order, static_cast<uint64_t>(epoch));
        for (size_t last = order_.size() - 1; last > 0; --last) std::swap(order_[last], order_[stream.below(last + 1)]);
        order_epoch_ = epoch;
    }
    return order_[static_cast<size_t>(position % size)];
}

void BatchLoader::work() {
    std::vector<uint8_t> pixels(static_cast<size_t>(dataset_.height() * dataset_.width() * dataset_.channels()));
    std::unique_lock lock(mutex_);
    while (!stop_) {
        const auto open =
            std::find_if(window_.begin(), window_.end(), [this](const auto& pending) { return pending->taken < batch_size_; });
        if (open == window_.end()) {
            work_ready_.wait(lock);
            continue;
        }
        const std::shared_ptr<Pending> pending = *open;
        const int64_t begin = pending->taken, end = std::min(begin + kChunk, batch_size_);
        pending->taken = end;
        lock.unlock();

        std::exception_ptr error;
        int64_t i = begin;
        try {
            for (; i < end && !stop_; ++i) make_example(*pending, i, pixels);
        } catch (...) {
            error = std::current_exception();
        }

        lock.lock();
        if (error && (pending->failed < 0 || i < pending->failed)) {
            pending->failed = i;
            pending->error = error;
        }
        pending->finished += end - begin;
        if (pending->finished == batch_size_) batch_ready_.notify_all();
    }
}

void BatchLoader::make_example(Pending& pending, int64_t i, std::vector<uint8_t>& pixels) const {
    Batch& batch = pending.batch;
    const auto position = static_cast<uint64_t>(pending.number * batch_size_ + i);
    RandomStream augmentation(seed_, Purpose::augmentation, position);
    batch.label[static_cast<size_t>(i)] = dataset_.read(pending.index[static_cast<size_t>(i)], augmentation, pixels.data());
    to_signed_unit(pixels.data(), static_cast<int>(batch.height), static_cast<int>(batch.width), static_cast<int>(batch.channels),
                   batch.x_start.data() + i * static_cast<int64_t>(pixels.size()));
}

}  // namespace ddpm
