#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace ddpm {

// Calls `beat` from a thread of its own whenever `seconds` have passed without a call of alive(). Exceptions of `beat` are
// dropped, so that they can't end the work that it watches. With 0 seconds it never calls.
class Heartbeat {
public:
    Heartbeat(double seconds, std::function<void()> beat);
    ~Heartbeat();
    Heartbeat(const Heartbeat&) = delete;
    Heartbeat& operator=(const Heartbeat&) = delete;

    // Puts off the next beat: it comes after one to two times `seconds` without another call.
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
