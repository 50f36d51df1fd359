// Trains, kills or stops, resumes, samples and prunes one run again and again, then watches one process. Reports the least-squares
// slopes of what should stay flat: memory, file descriptors and space on the disk. The amount that it judges follows from rounds
// and steps; the time only says how long it goes on beyond them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <thread>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "support/process.h"

namespace ddpm::torture {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLeastRounds = 8;
// What one process holds swings with its checkpoints, one every 50 steps: a window of 100 steps sees the least of it.
constexpr int64_t kWindow = 100;
constexpr size_t kLeastWindows = 20;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

constexpr const char* kConfig = R"({
    "dataset": {"type": "shapes", "image_size": 8, "length": 1000, "workers": 2},
    "model": {"block_out_channels": [8, 16], "layers_per_block": 1, "attention_resolutions": [4], "norm_num_groups": 4},
    "diffusion": {"timesteps": 50},
    "train": {"steps": 1000000000, "batch_size": 4, "warmup_steps": 10, "checkpoint_every": 50, "keep_last": 2,
              "sample_every": 100, "sample_images": 4},
    "sample": {"sampler": "ddim", "steps": 5, "timestep_spacing": "trailing"}})";

// One measurement of a running process and its folder.
struct Look {
    double x = 0;  // its place in the series: the number of the round, or thousands of steps
    double resident_kib = 0, descriptors = 0, disk_kib = 0, log_bytes = 0;
};

// A least-squares line. It leaves out the first quarter of the series, in which the program warms up.
struct Line {
    double slope = 0, mean = 0, change = 0;  // change: from the first measurement to the last
};

Line fit(const std::vector<Look>& looks, double Look::*value) {
    const std::vector<Look> warm(looks.begin() + static_cast<long>(looks.size() / 4), looks.end());
    const auto n = static_cast<double>(warm.size());
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (const Look& look : warm) mean_x += look.x / n, mean_y += look.*value / n;
    for (const Look& look : warm) {
        xx += (look.x - mean_x) * (look.x - mean_x);
        xy += (look.x - mean_x) * (look.*value - mean_y);
    }
    const double slope = xx > 0 ? xy / xx : 0;
    return {slope, mean_y, warm.empty() ? 0 : slope * (warm.back().x - warm.front().x)};
}

double resident_kib(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6));
    return 0;
}

double descriptors(pid_t process) {
    std::error_code gone;
    return static_cast<double>(std::distance(fs::directory_iterator("/proc/" + std::to_string(process) + "/fd", gone), {}));
}

// Returns the size of a run without metrics.jsonl and samples/, which grow with the steps by design.
double disk_kib(const fs::path& run) {
    for (;;) {
        try {
            double bytes = 0;
            for (const fs::path& file : list_files(run, true)) {
                std::error_code gone;
                const auto size = fs::file_size(file, gone);
                if (!gone && file.filename() != "metrics.jsonl" && file.parent_path().filename() != "samples")
                    bytes += static_cast<double>(size);
            }
            return bytes / 1024;
        } catch (const Error&) {  // a folder that was removed or renamed while it was being listed
        }
    }
}

double file_bytes(const fs::path& file) {
    std::error_code none;
    const auto size = fs::file_size(file, none);
    return none ? 0 : static_cast<double>(size);
}

// Returns the step of the last complete line of metrics.jsonl, or 0 if there is none yet.
int64_t last_step(const fs::path& metrics) {
    std::ifstream file(metrics, std::ios::binary | std::ios::ate);
    if (!file) return 0;
    const auto size = static_cast<std::streamoff>(file.tellg());
    file.seekg(std::max<std::streamoff>(size - 1000, 0));
    const std::string tail((std::istreambuf_iterator<char>(file)), {});
    const size_t end = tail.rfind('\n');
    if (end == tail.npos || end == 0) return 0;
    const size_t begin = tail.rfind('\n', end - 1);
    if (begin == tail.npos && size > 1000) return 0;
    return parse_json(tail.substr(begin == tail.npos ? 0 : begin + 1, end - (begin == tail.npos ? 0 : begin + 1)), "metrics")
        .at("step");
}

class Soak {
public:
    Soak(std::string program, fs::path work, uint64_t seed) : program_(std::move(program)), work_(std::move(work)), random_(seed) {
        fs::remove_all(work_);
        make_folders(work_);
        write_file(work_ / "soak.json", kConfig);
    }

    // Memory may grow by memory_kib. Returns the exit code.
    int report(double minutes, double memory_kib) {
        const auto began = Clock::now();
        while (seconds_since(began) < 30 * minutes || rounds_.size() < kLeastRounds) round();
        const double kills_took = seconds_since(began);
        const auto watched = Clock::now();
        watch(30 * minutes);
        const double watch_took = seconds_since(watched);
        std::puts(fmt::format("{} rounds of train, kill ({}) or stop ({}), resume, sample, prune in {:.0f} s; then one process for "
                              "{:.0f} s; {} steps in all",
                              rounds_.size(), kills_, stops_, kills_took, watch_took, last_step(metrics_))
                      .c_str());
        std::puts("| | mean | slope | over the whole |");
        std::puts("|---|---|---|---|");
        row("memory of a process, by round", rounds_, &Look::resident_kib, "KiB", "round", 0.03, memory_kib);
        row("file descriptors, by round", rounds_, &Look::descriptors, "", "round", 0, 1.5);
        row("disk, by round", rounds_, &Look::disk_kib, "KiB", "round", 0.10, 600);  // allows one checkpoint more
        row("memory of one process", looks_, &Look::resident_kib, "KiB", "1000 steps", 0.03, memory_kib);
        row("file descriptors of one process", looks_, &Look::descriptors, "", "1000 steps", 0, 1.5);
        row("disk under one process", looks_, &Look::disk_kib, "KiB", "1000 steps", 0.10, 16);
        const double per_step = file_bytes(metrics_) / static_cast<double>(std::max<int64_t>(last_step(metrics_), 1));
        std::puts(fmt::format("metrics.jsonl: {:.0f} bytes a step; the log of the one process: {:.0f} bytes a minute", per_step,
                              looks_.back().log_bytes / watch_took * 60)
                      .c_str());
        if (per_step > 200) flat_ = false;
        std::puts(flat_ ? "flat" : "NOT FLAT");
        return flat_ ? 0 : 1;
    }

private:
    // Standard error goes to a file, as that of a long run does.
    Process start() const {
        return Process({"/bin/sh", "-c",
                        "exec \"$0\" train --config soak.json --out run --resume --device cpu --threads 1 2>log.txt", program_},
                       work_.string(), /*limit=*/0);
    }

    // Waits until the process has trained beyond `step`, and calls meanwhile() again and again.
    template <class Meanwhile>
    void wait_for_step(const Process& process, int64_t step, Meanwhile meanwhile) const {
        auto moved = Clock::now();
        for (int64_t last = -1, now = 0; (now = last_step(metrics_)) <= step; last = now) {
            if (now != last) moved = Clock::now();
            if (seconds_since(moved) > 600 || !process.alive())
                runtime_failure("ddpm train does not get on: " + read_file(work_ / "log.txt", 1 << 20));
            meanwhile();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    void wait_for_step(const Process& process, int64_t step) const {
        wait_for_step(process, step, [] {});
    }

    Look look(const Process& process, double x) const {
        return {x, resident_kib(process.id()), descriptors(process.id()), disk_kib(work_ / "run"), file_bytes(work_ / "log.txt")};
    }

    void round() {
        const int64_t before = last_step(metrics_);
        Process process = start();
        std::uniform_int_distribution<int64_t> steps(60, 200);
        // Each round measures when the program has written a checkpoint and pictures, then lets it go on a little.
        wait_for_step(process, before + 110);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        rounds_.push_back(look(process, static_cast<double>(rounds_.size())));
        wait_for_step(process, last_step(metrics_) + steps(random_));
        const bool kill = random_() % 4 != 0;
        process.signal(kill ? SIGKILL : SIGTERM);
        const int code = process.wait().code;
        if (code != (kill ? 128 + SIGKILL : 128 + SIGTERM))
            runtime_failure(fmt::format("ddpm train ended with {}: {}", code, read_file(work_ / "log.txt", 1 << 20)));
        ++(kill ? kills_ : stops_);
        const std::vector<std::string> sample{program_, "sample",   "--ckpt",   "run", "--n",       "2",
                                              "--grid", "grid.png", "--device", "cpu", "--threads", "1"};
        const ProcessResult sampled = Process(sample, work_.string()).wait();
        if (sampled.code != 0) runtime_failure("ddpm sample failed: " + sampled.err);
        fs::remove_all(work_ / "samples");
    }

    void watch(double seconds) {
        const int64_t first = last_step(metrics_);
        Process process = start();
        wait_for_step(process, first + 110);
        for (const auto began = Clock::now(); seconds_since(began) < seconds || looks_.size() < kLeastWindows;) {
            const int64_t window = last_step(metrics_);
            Look least = look(process, static_cast<double>(window - first) / 1000);
            wait_for_step(process, window + kWindow, [&] {
                const Look now = look(process, least.x);
                least.descriptors = std::min(least.descriptors, now.descriptors);
                least.disk_kib = std::min(least.disk_kib, now.disk_kib);
                least.resident_kib = std::min(least.resident_kib, now.resident_kib);
                least.log_bytes = now.log_bytes;
            });
            looks_.push_back(least);
        }
        process.signal(SIGTERM);
        if (const int code = process.wait().code; code != 128 + SIGTERM)
            runtime_failure(fmt::format("ddpm train ended with {}", code));
    }

    // Prints a row. A series is flat if its line rises by less than `fraction` of the mean or by less than `amount`.
    void row(const char* name, const std::vector<Look>& looks, double Look::*value, const char* unit, const char* per,
             double fraction, double amount) {
        const Line line = fit(looks, value);
        const bool flat = line.change < std::max(fraction * line.mean, amount);
        flat_ = flat_ && flat;
        std::puts(fmt::format("| {} | {:.1f} {} | {:+.3f} {} a {} | {:+.1f} {}{} |", name, line.mean, unit, line.slope, unit, per,
                              line.change, unit, flat ? "" : ": not flat")
                      .c_str());
    }

    std::string program_;
    fs::path work_, metrics_ = work_ / "run" / "metrics.jsonl";
    std::mt19937_64 random_;
    std::vector<Look> rounds_, looks_;
    int kills_ = 0, stops_ = 0;
    bool flat_ = true;
};

}  // namespace
}  // namespace ddpm::torture

int main(int argc, char** argv) {
    CLI::App app("Trains, kills, resumes, samples and prunes in a loop, and reports the slopes of memory, descriptors and disk.");
    std::string program, folder;
    double minutes = 1, memory_mib = 2;
    uint64_t seed = 1;
    app.add_option("--program", program, "build/release/ddpm")->required();
    app.add_option("--folder", folder, "to work in; emptied before")->required();
    app.add_option("--minutes", minutes,
                   "half for the loop, half for one process; more where the least counts of rounds and steps take longer")
        ->check(CLI::PositiveNumber);
    app.add_option("--memory", memory_mib,
                   "MiB that memory may grow by: more under a sanitizer, whose allocator keeps what is freed");
    app.add_option("--seed", seed, "another makes other instants");
    CLI11_PARSE(app, argc, argv);
    try {
        return ddpm::torture::Soak(program, folder, seed).report(minutes, 1024 * memory_mib);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
