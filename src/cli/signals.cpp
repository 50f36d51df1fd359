#include "cli/signals.h"

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace ddpm {

namespace {

std::atomic<int> caught{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) {
    int none = 0;
    if (!caught.compare_exchange_strong(none, signal)) std::_Exit(128 + signal);
}

}  // namespace

void catch_stop_signals() {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
}

int stop_signal() { return caught.load(); }

void throw_if_stopped() {
    if (stop_signal() != 0) throw Stopped{};
}

}  // namespace ddpm
