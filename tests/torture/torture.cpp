// Kills `ddpm train` again and again, lets the last resume run to its end, and compares the run byte for byte with one that was
// never interrupted. After every kill all checkpoints and snapshots must be sound.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/run/damage.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/run/snapshots.h"
#include "torture/cases.h"
#include "torture/run.h"

namespace ddpm::torture {
namespace {

struct Counts {
    int64_t points = 0, torn = 0, moments = 0;  // kills after a call, within or before one, and at a random time
    int64_t starts = 0, runs = 0;

    int64_t kills() const { return points + torn + moments; }
};

// A case and its undisturbed run.
struct Prepared {
    Case one;
    std::string config;           // file
    std::string whole;            // run folder
    int64_t calls = 0;            // the calls that changed the disk
    int64_t first = 0, last = 0;  // those of them that write the second checkpoint, counted from 1
    int64_t duration = 0;         // µs
    Counts counts{};
};

std::vector<std::string> train(const Prepared& prepared, const std::string& out) {
    std::vector<std::string> arguments{"train", "--config", prepared.config, "--out", out, "--resume"};
    arguments.insert(arguments.end(), prepared.one.flags.begin(), prepared.one.flags.end());
    return arguments;
}

Prepared prepare(const Program& program, const fs::path& work, Case one, size_t index) {
    Prepared prepared{std::move(one), fmt::format("case-{}.json", index), fmt::format("whole-{}", index)};
    write_file(work / prepared.config, dump_json(prepared.one.config));
    const fs::path log = work.parent_path() / fmt::format("calls-{}.txt", index);
    fs::remove(log);
    const auto began = std::chrono::steady_clock::now();
    const ProcessResult result = run(program, train(prepared, prepared.whole), work, {"FAULTS_LOG=" + log.string()});
    if (result.code != 0)
        runtime_failure(fmt::format("{}: the undisturbed run ended with {}: {}", prepared.one.name, result.code, result.err));
    prepared.duration = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count();
    std::ifstream lines(log);
    const std::string partial = "/checkpoints/.step-000004.partial";
    for (std::string line; std::getline(lines, line);) {
        ++prepared.calls;
        if (line.find(partial) == line.npos) continue;
        if (prepared.first == 0) prepared.first = prepared.calls;
        if (line.rfind("rename", 0) == 0 && line.find("/step-000004", line.find(" -> ")) != line.npos &&
            line.ends_with("step-000004"))
            prepared.last = prepared.calls + 1;  // the fsync of the folder follows
    }
    const std::string metrics = read_file(work / prepared.whole / "metrics.jsonl", 1 << 20);
    if (metrics.find("\"" + prepared.one.happens) == metrics.npos)
        runtime_failure(fmt::format("{}: the undisturbed run has no {}", prepared.one.name, prepared.one.happens));
    if (prepared.first == 0 || prepared.last == 0)
        runtime_failure("the undisturbed run has not written its second checkpoint as expected");
    return prepared;
}

// Kills one run up to `most` times, then lets it finish. The first kills of the runs 0, 1, 2, … go through the calls that write a
// checkpoint, first after each call, then within each. All other kills are random. Returns the counts. If anything is wrong, it
// throws an error that tells all that was done to the run.
Counts disturb(const Program& program, const fs::path& work, const Prepared& prepared, int64_t number, uint64_t seed, int most) {
    std::mt19937_64 random(seed + static_cast<uint64_t>(number) * 0x9e3779b97f4a7c15u);
    const auto draw = [&](int64_t first, int64_t last) { return std::uniform_int_distribution<int64_t>(first, last)(random); };
    const std::string out = fmt::format("torn-{}", number);
    std::string story = fmt::format("{}, run {} of seed {}:", prepared.one.name, number, seed);
    const auto fail = [&](const std::string& what) {
        runtime_failure(fmt::format("{} then: {} (kept: {})", story, what, (work / out).string()));
    };
    Counts counts;
    for (bool finished = false; !finished;) {
        std::vector<std::string> environment;
        std::optional<int64_t> moment;
        int64_t* kind = nullptr;
        if (counts.kills() < most) {
            const int64_t writes = prepared.last - prepared.first + 1;
            const bool in_turn = counts.starts == 0 && number < 2 * writes;
            const int64_t choice = draw(0, 4);
            if (!in_turn && choice == 0) {
                moment = draw(0, prepared.duration);
                kind = &counts.moments;
                story += fmt::format(" {} µs,", *moment);
            } else {
                const bool tears = in_turn ? number >= writes : choice < 3;
                const int64_t at = in_turn ? prepared.first + number % writes : draw(1, prepared.calls / draw(1, 3));
                environment = {fmt::format("FAULTS_AT={}", at), tears ? "FAULTS_DO=tear" : "FAULTS_DO=kill"};
                kind = tears ? &counts.torn : &counts.points;
                story += fmt::format(" {} {},", tears ? "tear" : "kill", at);
            }
        }
        ++counts.starts;
        const ProcessResult result = run(program, train(prepared, out), work, environment, moment);
        if (result.code == 128 + SIGKILL && kind != nullptr)
            ++*kind;
        else if (result.code == 0)
            finished = true;
        else
            fail(fmt::format("exit code {}: {}", result.code, result.err));
        if (result.err.find(" is damaged (") != std::string::npos) fail(result.err);
        if (fs::is_directory(work / out / "checkpoints"))
            for (const Checkpoint& checkpoint : list_checkpoints(work / out))
                if (const auto damage = damage_of(checkpoint.path, NeededFiles::all))
                    fail(checkpoint.path.filename().string() + ": " + *damage);
        for (const Snapshot& snapshot : list_snapshots(work / out))
            if (const auto damage = damage_of_snapshot(snapshot)) fail(snapshot.path.filename().string() + ": " + *damage);
    }
    if (const std::string what = difference(work / prepared.whole, work / out); !what.empty()) fail(what);
    fs::remove_all(work / out);
    ++counts.runs;
    return counts;
}

int torture(const Program& program, const fs::path& folder, int64_t kills, uint64_t seed, int jobs) {
    constexpr int kMostOfOneRun = 4;
    const fs::path work = folder / "work";
    fs::remove_all(work);
    make_folders(work);
    std::vector<Case> cases = make_cases(fs::canonical(folder));
    std::vector<Prepared> prepared;
    for (size_t i = 0; i < cases.size(); ++i) {
        prepared.push_back(prepare(program, work, std::move(cases[i]), i));
        std::fprintf(stderr, "%s: %lld calls, %.2f s\n", prepared[i].one.name.c_str(), static_cast<long long>(prepared[i].calls),
                     static_cast<double>(prepared[i].duration) * 1e-6);
    }
    const int64_t writes = prepared.front().last - prepared.front().first + 1;
    std::mutex mutex;
    int64_t next = 0, done = 0;
    std::string failure;
    const auto worker = [&] {
        for (;;) {
            int64_t number = 0;
            {
                const std::lock_guard<std::mutex> hold(mutex);
                if ((done >= kills && next >= writes) || !failure.empty()) return;
                number = next++;
            }
            Prepared& chosen = prepared[static_cast<size_t>(number) % prepared.size()];
            try {
                const Counts counts = disturb(program, work, chosen, number, seed, kMostOfOneRun);
                const std::lock_guard<std::mutex> hold(mutex);
                chosen.counts.points += counts.points;
                chosen.counts.torn += counts.torn;
                chosen.counts.moments += counts.moments;
                chosen.counts.starts += counts.starts;
                chosen.counts.runs += counts.runs;
                if ((done + counts.kills()) / 100 > done / 100)
                    std::fprintf(stderr, "%lld kills\n", static_cast<long long>(done + counts.kills()));
                done += counts.kills();
            } catch (const std::exception& error) {
                const std::lock_guard<std::mutex> hold(mutex);
                failure = error.what();
            }
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < jobs; ++i) threads.emplace_back(worker);
    for (std::thread& thread : threads) thread.join();
    if (!failure.empty()) runtime_failure(failure);

    std::puts("| run | kills after a call | within or before one | at a random time | starts | finished, all equal |");
    std::puts("|---|---|---|---|---|---|");
    Counts sum;
    const auto print = [](const std::string& name, const Counts& c) {
        std::puts(fmt::format("| {} | {} | {} | {} | {} | {} |", name, c.points, c.torn, c.moments, c.starts, c.runs).c_str());
    };
    for (const Prepared& one : prepared) {
        print(one.one.name, one.counts);
        sum.points += one.counts.points;
        sum.torn += one.counts.torn;
        sum.moments += one.counts.moments;
        sum.starts += one.counts.starts;
        sum.runs += one.counts.runs;
    }
    print("all", sum);
    std::puts(fmt::format("{} kills, {} runs, no difference (seed {}); among them one after each of the {} calls that write a "
                          "checkpoint{}",
                          sum.kills(), sum.runs, seed, writes, next >= 2 * writes ? " and one within each" : "")
                  .c_str());
    fs::remove_all(folder);
    return 0;
}

}  // namespace
}  // namespace ddpm::torture

int main(int argc, char** argv) {
    CLI::App app("Kills ddpm train at random instants and compares what the resumes make of it with an undisturbed run.");
    ddpm::torture::Program program;
    std::string folder;
    int64_t kills = 200;
    uint64_t seed = 1;
    int jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    app.add_option("--program", program.path, "build/release/ddpm")->required();
    app.add_option("--fault-points", program.fault_points, "the library of that name")->required();
    app.add_option("--folder", folder, "to work in; emptied before, removed when all went well")->required();
    app.add_option("--kills", kills, "how many at least");
    app.add_option("--seed", seed, "another makes other instants");
    app.add_option("--jobs", jobs, "runs at a time");
    CLI11_PARSE(app, argc, argv);
    try {
        return ddpm::torture::torture(program, folder, kills, seed, jobs);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
