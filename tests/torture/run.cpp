#include "torture/run.h"

#include <map>

#include "ddpm/core/files.h"
#include "ddpm/report/metrics.h"

namespace ddpm::torture {

ProcessResult run(const Program& program, std::vector<std::string> arguments, const fs::path& folder,
                  const std::vector<std::string>& environment, std::optional<int64_t> kill_after) {
    // The address sanitizer demands to be the first library. Here it is the second, behind the fault points.
    std::vector<std::string> command{"/usr/bin/env", "LD_PRELOAD=" + program.fault_points,
                                     "FAULTS_BELOW=" + fs::canonical(folder).string(), "ASAN_OPTIONS=verify_asan_link_order=0"};
    command.insert(command.end(), environment.begin(), environment.end());
    command.push_back(program.path);
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process process(command, folder.string());
    if (kill_after) {
        ::usleep(static_cast<useconds_t>(*kill_after));
        process.signal(SIGKILL);
    }
    return process.wait();
}

namespace {

std::string comparable(const fs::path& file) {
    if (fs::is_symlink(file)) return "link to " + fs::read_symlink(file).string();
    if (file.filename() != "metrics.jsonl") return read_file(file, uint64_t{1} << 32);
    std::string text;
    for (Json line : read_metrics(file)) {
        if (line.contains("heartbeat")) continue;
        for (const char* key : {"time", "images_per_second", "seconds"}) line.erase(key);
        text += line.dump() + "\n";
    }
    return text;
}

std::map<std::string, fs::path> files_of(const fs::path& run) {
    std::map<std::string, fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(run))  // does not follow links
        if ((entry.is_symlink() || entry.is_regular_file()) && entry.path().filename() != ".lock")
            files[entry.path().lexically_relative(run).string()] = entry.path();
    return files;
}

}  // namespace

std::string difference(const fs::path& a, const fs::path& b) {
    const auto first = files_of(a), second = files_of(b);
    for (const auto& [name, file] : first) {
        const auto other = second.find(name);
        if (other == second.end()) return name + " is missing";
        if (comparable(file) != comparable(other->second)) return name + " differs";
    }
    for (const auto& [name, file] : second)
        if (!first.contains(name)) return name + " is too many";
    return "";
}

}  // namespace ddpm::torture
