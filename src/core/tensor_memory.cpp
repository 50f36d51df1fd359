#include "ddpm/core/tensor_memory.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <unistd.h>

#include "ddpm/core/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define DDPM_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DDPM_ADDRESS_SANITIZER 1
#endif
#endif

namespace ddpm {

namespace {

constexpr size_t kSmall = 64 << 10;

size_t physical_memory() {
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(page) : 0;
}

// Never destroyed: tensors may outlive main.
Arena& arena() {
    static auto* arena = new Arena(physical_memory());
    return *arena;
}

// Tells LibTorch's memory profiler, as LibTorch's own allocators do.
void report(void* block, int64_t bytes) {
    if (c10::memoryProfilingEnabled()) c10::reportMemoryUsageToProfiler(block, bytes, arena().used(), 0, c10::Device(c10::kCPU));
}

class ArenaAllocator final : public c10::Allocator {
public:
    c10::DataPtr allocate(size_t bytes) override {
        void* block = bytes < kSmall ? nullptr : arena().allocate(bytes);
        if (block) report(block, static_cast<int64_t>(Arena::block_size(bytes)));
        return block ? c10::DataPtr(block, block, release, c10::Device(c10::kCPU)) : c10::GetDefaultCPUAllocator()->allocate(bytes);
    }
    c10::DeleterFnPtr raw_deleter() const override { return release; }
    void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

private:
    static void release(void* block) {
        if (const size_t bytes = arena().release(block))
            report(block, -static_cast<int64_t>(bytes));
        else
            c10::GetDefaultCPUAllocator()->raw_deallocate(block);
    }
};

// Receives a report of LibTorch's allocators whenever memory of a tensor is taken or given back.
class WatchedMemory : public c10::MemoryReportingInfoBase {
public:
    explicit WatchedMemory(c10::DeviceType type) : type_(type) {}

    void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device device) override {
        if (device.type() != type_) return;
        const std::lock_guard lock(mutex_);
        now_ += bytes;
        peak_ = std::max(peak_, now_);
    }
    bool memoryProfilingEnabled() const override { return true; }
    int64_t peak() const { return peak_; }

private:
    c10::DeviceType type_;
    std::mutex mutex_;
    int64_t now_ = 0, peak_ = 0;
};

}  // namespace

int64_t peak_tensor_memory(const c10::Device& device, const std::function<void()>& action) {
    const auto memory = std::make_shared<WatchedMemory>(device.type());
    const c10::DebugInfoGuard watched(c10::DebugInfoKind::PROFILER_STATE, memory);
    action();
    return memory->peak();
}

void keep_tensor_memory() {
#ifndef DDPM_ADDRESS_SANITIZER
    static auto* allocator = new ArenaAllocator;
    c10::SetCPUAllocator(allocator, /*priority=*/1);
#endif
}

}  // namespace ddpm
