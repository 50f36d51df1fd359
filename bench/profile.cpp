#include "bench/profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include <ATen/record_function.h>
#include <spdlog/fmt/fmt.h>

namespace ddpm {

namespace {

using Clock = std::chrono::steady_clock;

struct Running {
    std::string name;
    Clock::time_point begin;
    double inner = 0;  // ms of what it called
};

struct Total {
    double ms = 0;
    int64_t calls = 0;
};

std::vector<Running> stack;
std::map<std::string, Total> totals;
at::CallbackHandle handle;
Clock::time_point began;

double ms_since(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

// Nodes of the backward pass that are ours have the names of C++ types.
std::string readable(std::string name) {
    if (const size_t type = name.find("CppNode<"); type != std::string::npos) {
        name = name.substr(type + 8, name.size() - type - 9);
        return name.substr(name.rfind(':') + 1) + "Backward";
    }
    return name;
}

std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& function) {
    stack.push_back({readable(function.name()), Clock::now(), 0});
    return nullptr;
}

void leave(const at::RecordFunction&, at::ObserverContext*) {
    if (stack.empty()) return;
    const Running done = stack.back();
    stack.pop_back();
    const double ms = ms_since(done.begin);
    totals[done.name].ms += ms - done.inner;
    ++totals[done.name].calls;
    if (!stack.empty()) stack.back().inner += ms;
}

}  // namespace

void start_profile() {
    stack.clear();
    totals.clear();
    began = Clock::now();
    handle = at::addThreadLocalCallback(at::RecordFunctionCallback(enter, leave));
}

std::string stop_profile(int steps) {
    const double all = ms_since(began);
    at::removeCallback(handle);
    double named = 0;
    std::vector<std::pair<std::string, Total>> sorted(totals.begin(), totals.end());
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.ms > b.second.ms; });
    std::string text = "| operator | calls a step | ms | share |\n|---|---|---|---|\n";
    for (const auto& [name, total] : sorted) {
        if (total.ms < 0.01 * all) break;
        named += total.ms;
        text += fmt::format("| {} | {} | {:.1f} | {:.1f} % |\n", name, total.calls / steps, total.ms / steps, 100 * total.ms / all);
    }
    return text + fmt::format("| all else | | {:.1f} | {:.1f} % |\n| a step | | {:.1f} | |\n", (all - named) / steps,
                              100 * (all - named) / all, all / steps);
}

}  // namespace ddpm
