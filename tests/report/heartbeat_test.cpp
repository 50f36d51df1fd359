#include "ddpm/report/heartbeat.h"

#include <atomic>
#include <stdexcept>

#include <gtest/gtest.h>

namespace ddpm {
namespace {

TEST(Heartbeat, BeatsWhileNothingElseHappensWhateverABeatThrows) {
    std::atomic<int> beats{0};
    {
        Heartbeat heartbeat(0.001, [&] {
            ++beats;
            throw std::runtime_error("full disk");
        });
        while (beats < 3) std::this_thread::yield();
    }
    const int after = beats;
    EXPECT_GE(after, 3);
    EXPECT_EQ(beats, after) << "the thread is gone";
}

TEST(Heartbeat, NeverBeatsForZeroSecondsOrWithinThem) {
    std::atomic<int> beats{0};
    {
        Heartbeat never(0, [&] { ++beats; }), late(3600, [&] { ++beats; });
        late.alive();
    }
    EXPECT_EQ(beats, 0);
}

}  // namespace
}  // namespace ddpm
