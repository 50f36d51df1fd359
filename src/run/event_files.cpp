#include "ddpm/run/event_files.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"

namespace ddpm {

namespace {

constexpr const char *kEventFolder = "tensorboard", *kEventPrefix = "events.out.tfevents.", *kEventSuffix = ".ddpm";
constexpr size_t kTimeDigits = 10;  // of the time, so that names are in its order

// The name of this computer, with '-' for what a file's name should not hold.
std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "host";
    std::string host = name.data();
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    for (char& c : host)
        if (plain.find(c) == plain.npos) c = '-';
    return host;
}

// The time in a name, as its digits.
std::string time_of(const std::string& name) { return name.substr(std::string_view(kEventPrefix).size(), kTimeDigits); }

}  // namespace

bool is_event_file_name(const std::string& name) {
    if (!name.starts_with(kEventPrefix) || !name.ends_with(kEventSuffix)) return false;
    const std::string time = time_of(name), after = name.substr(std::string_view(kEventPrefix).size() + time.size());
    return time.size() == kTimeDigits && time.find_first_not_of("0123456789") == time.npos && after.starts_with('.') &&
           after.size() > 1 + std::string_view(kEventSuffix).size();
}

std::vector<fs::path> list_event_files(const fs::path& run) {
    std::vector<fs::path> files;
    if (type_of(run / kEventFolder) != fs::file_type::directory) return files;
    for (const fs::path& entry : entries_of(run / kEventFolder))
        if (is_event_file_name(entry.filename().string())) files.push_back(entry);
    return files;
}

fs::path new_event_file(const fs::path& run, double unix_seconds) {
    auto time = static_cast<int64_t>(unix_seconds);
    for (const fs::path& file : list_event_files(run))
        time = std::max<int64_t>(time, std::atoll(time_of(file.filename().string()).c_str()) + 1);
    return run / kEventFolder / fmt::format("{}{:0{}}.{}{}", kEventPrefix, time, kTimeDigits, host_name(), kEventSuffix);
}

void remove_event_files(const fs::path& run) {
    for (const fs::path& file : list_event_files(run)) {
        std::error_code error;
        fs::remove(file, error);
        if (error) runtime_failure(fmt::format("{}: can't remove: {}", file.string(), error.message()));
    }
}

}  // namespace ddpm
