#include "ddpm/core/memory.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

struct System : TempFolder {
    void put(const std::string& name, const std::string& text) const {
        fs::create_directories((*this / name).parent_path());
        std::ofstream(*this / name) << text;
    }
};

TEST(Memory, IsWhatTheSystemCallsAvailable) {
    System system;
    EXPECT_EQ(available_memory(system.path()), std::nullopt);
    system.put("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:    2000 kB\n");
    EXPECT_EQ(available_memory(system.path()), 2000 * 1024);
}

TEST(Memory, IsWhatTheTightestGroupLeaves) {
    System system;
    system.put("proc/meminfo", "MemAvailable: 2000 kB\n");
    system.put("proc/self/cgroup", "0::/job/step\n");
    system.put("sys/fs/cgroup/job/step/memory.max", "max\n");
    system.put("sys/fs/cgroup/job/step/memory.current", "100\n");
    EXPECT_EQ(available_memory(system.path()), 2000 * 1024);
    system.put("sys/fs/cgroup/job/memory.max", "5000\n");
    system.put("sys/fs/cgroup/job/memory.current", "3000\n");
    EXPECT_EQ(available_memory(system.path()), 2000);
    system.put("sys/fs/cgroup/job/memory.stat", "anon 5\ninactive_file 700\n");
    EXPECT_EQ(available_memory(system.path()), 2700);
    system.put("sys/fs/cgroup/job/memory.max", "1000\n");
    EXPECT_EQ(available_memory(system.path()), 0) << "over the limit already";
}

// The path is the host's; the mount shows the container's own group.
TEST(Memory, KnowsGroupsOfTheFirstVersion) {
    System system;
    system.put("proc/meminfo", "MemAvailable: 2000 kB\n");
    system.put("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n");
    system.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9000\n");
    system.put("sys/fs/cgroup/memory/memory.usage_in_bytes", "8000\n");
    system.put("sys/fs/cgroup/memory/memory.stat", "cache 9\ntotal_inactive_file 50\n");
    EXPECT_EQ(available_memory(system.path()), 1050);
}

TEST(Memory, OfThisMachineIsThere) {
    ASSERT_TRUE(available_memory().has_value());
    EXPECT_GT(*available_memory(), 1 << 20);
}

TEST(Memory, IsToldInUnitsForPeople) {
    EXPECT_EQ(format_bytes(0), "0.0 MiB");
    EXPECT_EQ(format_bytes(3 << 19), "1.5 MiB");
    EXPECT_EQ(format_bytes(734 << 20), "734 MiB");
    EXPECT_EQ(format_bytes(int64_t{2458} << 20), "2.4 GiB");
}

}  // namespace
}  // namespace ddpm
