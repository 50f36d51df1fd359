#include "bench/profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include <ATen/record_function.h>
#include <spdlog/fmt/fmt.h>
#include <torch/csrc/autograd/profiler_kineto.h>

namespace ddpm {

namespace {

using Clock = std::chrono::steady_clock;

struct Running {
    std::string name;
    Clock::time_point begin;
    double inner = 0;  // ms of the operators that it called
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

// Shortens the names of this program's nodes of the backward pass, which are names of C++ types.
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

namespace kineto {

using namespace torch::autograd::profiler;

void start() {
    const ProfilerConfig config(ProfilerState::KINETO);
    prepareProfiler(config, {ActivityType::CUDA});
    enableProfiler(config, {ActivityType::CUDA});
}

// Adds the times of the GPU's kernels to `totals`.
void stop() {
    const auto result = disableProfiler();
    for (const KinetoEvent& event : result->events()) {
        if (event.deviceType() != c10::DeviceType::CUDA) continue;
        std::string name = event.name();
        for (const char* noise : {"void ", "at::native::", "(anonymous namespace)::", "ddpm::"})
            for (size_t at; (at = name.find(noise)) != std::string::npos;) name.erase(at, std::string(noise).size());
        Total& total = totals[name.substr(0, 90)];
        total.ms += static_cast<double>(event.durationNs()) / 1e6;
        ++total.calls;
    }
}

}  // namespace kineto

void start_profile(bool gpu) {
    stack.clear();
    totals.clear();
    if (gpu)
        kineto::start();
    else
        handle = at::addThreadLocalCallback(at::RecordFunctionCallback(enter, leave));
    began = Clock::now();
}

std::string stop_profile(bool gpu, int steps) {
    const double all = ms_since(began);
    if (gpu)
        kineto::stop();
    else
        at::removeCallback(handle);
    double named = 0, busy = gpu ? 0 : all;
    if (gpu)
        for (const auto& [name, total] : totals) busy += total.ms;
    std::vector<std::pair<std::string, Total>> sorted(totals.begin(), totals.end());
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.ms > b.second.ms; });
    std::string text = "| operator | calls a step | ms | share |\n|---|---|---|---|\n";
    for (const auto& [name, total] : sorted) {
        if (total.ms < (gpu ? 0.003 : 0.01) * all) break;
        named += total.ms;
        text += fmt::format("| {} | {} | {:.2f} | {:.1f} % |\n", name, total.calls / steps, total.ms / steps, 100 * total.ms / all);
    }
    text += fmt::format("| all else | | {:.1f} | {:.1f} % |\n", (busy - named) / steps, 100 * (busy - named) / all);
    if (gpu) text += fmt::format("| waiting | | {:.1f} | {:.1f} % |\n", (all - busy) / steps, 100 * (all - busy) / all);
    return text + fmt::format("| a step | | {:.1f} | |\n", all / steps);
}

}  // namespace ddpm
