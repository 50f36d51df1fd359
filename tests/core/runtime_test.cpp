#include "ddpm/core/runtime.h"

#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>

#include "support/errors.h"

namespace ddpm {
namespace {

TEST(Runtime, IsFoundWithoutAChangeToTheProcess) {
    const auto* allocator = c10::GetCPUAllocator();
    const int threads = at::get_num_threads();
    const Runtime runtime = find_runtime("cpu", threads + 3);
    EXPECT_TRUE(runtime.device.is_cpu());
    EXPECT_EQ(runtime.threads, threads + 3);
    EXPECT_EQ(at::get_num_threads(), threads);
    EXPECT_EQ(c10::GetCPUAllocator(), allocator);
    EXPECT_GE(find_runtime("auto", 0).threads, 1);
    EXPECT_SAYS(error_of([] { find_runtime("gpu", 1); }), "device: got \"gpu\"");
}

}  // namespace
}  // namespace ddpm
