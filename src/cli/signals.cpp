#include "cli/signals.h"

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace ddpm::cli {

namespace {

std::atomic<int> caught{0};
static_assert(std::atomic<int>::is_always_lock_free);

std::atomic<bool> checkpoint_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_checkpoint_signal(int) { checkpoint_asked = true; }

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

void ignore_sigpipe() { std::signal(SIGPIPE, SIG_IGN); }

void catch_checkpoint_signal() {
    std::signal(SIGUSR1, on_checkpoint_signal);
    release_checkpoint_signal();
}

void release_checkpoint_signal() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

bool take_checkpoint_request() { return checkpoint_asked.exchange(false); }

int stop_signal() { return caught.load(); }

void throw_if_stopped() {
    if (stop_signal() != 0) throw Stopped{};
}

}  // namespace ddpm::cli
