#include "ddpm/report/heartbeat.h"

#include <chrono>
#include <utility>

namespace ddpm {

Heartbeat::Heartbeat(double seconds, std::function<void()> beat) : seconds_(seconds), beat_(std::move(beat)) {
    if (seconds_ > 0) thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Heartbeat::alive() {
    const std::lock_guard lock(mutex_);
    alive_ = true;  // run() sees it after its wait: waking the thread at every step would cost more than a late beat
}

void Heartbeat::run() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        alive_ = false;
        if (wake_.wait_for(lock, std::chrono::duration<double>(seconds_), [this] { return stop_; })) return;
        if (alive_) continue;
        lock.unlock();
        try {
            beat_();
        } catch (...) {
        }
        lock.lock();
    }
}

}  // namespace ddpm
