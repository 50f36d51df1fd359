#include "ddpm/core/arena.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "ddpm/core/random.h"
#include "ddpm/core/tensor_memory.h"

namespace ddpm {
namespace {

// Blocks of many sizes, taken and given back in a random order: none touches another, and in the end all is one again.
TEST(Arena, BlocksAreTheirOwners) {
    constexpr size_t kBytes = 1 << 20;
    Arena arena(kBytes);
    struct Block {
        unsigned char* begin;
        size_t size;
        unsigned char mark;
    };
    std::vector<Block> blocks;
    RandomStream stream(1, Purpose::preview);
    const auto check = [](const Block& block) {
        for (size_t i = 0; i < block.size; ++i) ASSERT_EQ(block.begin[i], block.mark);
    };
    int refused = 0;
    for (int i = 0; i < 4000; ++i) {
        if (blocks.empty() || stream.uniform(0, 1) < 0.55) {
            const auto size = static_cast<size_t>(1 + stream.uniform(0, 1) * 30000);
            auto* begin = static_cast<unsigned char*>(arena.allocate(size));
            if (!begin) {
                ++refused;
                continue;
            }
            ASSERT_EQ(reinterpret_cast<uintptr_t>(begin) % 64, 0u);
            blocks.push_back({begin, size, static_cast<unsigned char>(i)});
            std::memset(begin, blocks.back().mark, size);
        } else {
            const auto which = static_cast<size_t>(stream.uniform(0, 1) * static_cast<double>(blocks.size()));
            check(blocks[which]);
            ASSERT_TRUE(arena.release(blocks[which].begin));
            blocks[which] = blocks.back();
            blocks.pop_back();
        }
    }
    EXPECT_GT(refused, 0);
    for (const Block& block : blocks) {
        check(block);
        ASSERT_TRUE(arena.release(block.begin));
    }
    EXPECT_EQ(arena.used(), 0u);
    EXPECT_NE(arena.allocate(kBytes - 128), nullptr);
}

TEST(Arena, TakesTheLowestPlace) {
    Arena arena(1 << 20);
    void* first = arena.allocate(1000);
    void* second = arena.allocate(1000);
    arena.allocate(1000);
    EXPECT_TRUE(arena.release(first));
    EXPECT_TRUE(arena.release(second));
    EXPECT_EQ(arena.allocate(2000), first);  // both places together
}

TEST(Arena, RefusesWhatIsNotItsOwn) {
    Arena arena(1 << 20);
    int other = 0;
    EXPECT_FALSE(arena.release(&other));
    auto* block = static_cast<char*>(arena.allocate(1000));
    EXPECT_FALSE(arena.release(block + 64));
    EXPECT_TRUE(arena.release(block));
    EXPECT_FALSE(arena.release(block));
    EXPECT_EQ(arena.allocate(2 << 20), nullptr);
    EXPECT_EQ(arena.allocate(SIZE_MAX), nullptr);
    EXPECT_EQ(Arena(SIZE_MAX / 2).allocate(1), nullptr);  // no machine has so many addresses
}

// Tensors made before and after go back to where they came from.
TEST(Arena, HoldsTensors) {
    at::Tensor before = at::arange(1 << 20);
    keep_tensor_memory();
    at::Tensor after = at::arange(1 << 20);
    EXPECT_TRUE(before.equal(after));
    after.resize_({1 << 21});
    EXPECT_TRUE(before.equal(after.slice(0, 0, 1 << 20)));
    before.resize_({1 << 21});
    EXPECT_TRUE(after.slice(0, 0, 1 << 20).equal(before.slice(0, 0, 1 << 20)));
    before = after = at::Tensor();
    EXPECT_EQ(at::empty({1 << 20}).sizes()[0], 1 << 20);
}

}  // namespace
}  // namespace ddpm
