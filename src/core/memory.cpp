#include "ddpm/core/memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm {

namespace fs = std::filesystem;

namespace {

std::optional<int64_t> number_in(const fs::path& file) {
    int64_t value = 0;
    if (std::ifstream in(file); in >> value) return value;
    return std::nullopt;  // also for the text "max"
}

// The number behind a key at the beginning of a line.
std::optional<int64_t> number_of(const fs::path& file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string name;
        int64_t value = 0;
        if (words >> name >> value && name == key) return value;
    }
    return std::nullopt;
}

void lower(std::optional<int64_t>& least, std::optional<int64_t> value) {
    if (!value) return;
    const int64_t left = std::max<int64_t>(*value, 0);
    least = std::min(left, least.value_or(left));
}

struct GroupFiles {
    const char *limit, *usage, *reclaimable;
};
constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};

// Lowers `least` to what a control group leaves, and each group above it up to `mount`. Inside a container the path may be the
// host's, which does not exist there; then only the limit at `mount` counts.
void lower_by_groups(std::optional<int64_t>& least, const fs::path& mount, const fs::path& path, const GroupFiles& files) {
    for (fs::path group = (mount / path.relative_path()).lexically_normal();; group = group.parent_path()) {
        const auto limit = number_in(group / files.limit), usage = number_in(group / files.usage);
        if (limit && usage) lower(least, *limit - *usage + number_of(group / "memory.stat", files.reclaimable).value_or(0));
        if (group == mount || !group.has_relative_path() || group == group.parent_path()) return;
    }
}

}  // namespace

std::optional<int64_t> available_memory(const fs::path& root) {
    std::optional<int64_t> least;
    if (const auto kib = number_of(root / "proc/meminfo", "MemAvailable:")) lower(least, *kib * 1024);
    std::ifstream groups(root / "proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {  // "4:memory:/path", "0::/path"
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == line.npos) continue;
        const std::vector<std::string> controllers = split(line.substr(first + 1, second - first - 1), ',');
        const std::string path = line.substr(second + 1);
        if (controllers.front().empty()) lower_by_groups(least, root / "sys/fs/cgroup", path, kVersion2);
        if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end())
            lower_by_groups(least, root / "sys/fs/cgroup/memory", path, kVersion1);
    }
    return least;
}

std::string format_bytes(int64_t bytes) {
    const double mib = static_cast<double>(bytes) / (1 << 20);
    return mib < 1000 ? fmt::format("{:.{}f} MiB", mib, mib < 9.95 ? 1 : 0) : fmt::format("{:.1f} GiB", mib / 1024);
}

}  // namespace ddpm
