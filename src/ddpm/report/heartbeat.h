#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace ddpm {

// Calls `beat` from a thread of its own whenever `seconds` have gone by without a sign of life. What it throws is dropped:
// nobody's work may end for it. 0 seconds: never.
class Heartbeat {
public:
    Heartbeat(double seconds, std::function<void()> beat);
    ~Heartbeat();
    Heartbeat(const Heartbeat&) = delete;
    Heartbeat& operator=(const Heartbeat&) = delete;

    // A sign of life: the next beat is `seconds` away.
    void alive();

private:
    void run();

    const double seconds_;
    const std::function<void()> beat_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool alive_ = false, stop_ = false;
    std::thread thread_;
};

}  // namespace ddpm
