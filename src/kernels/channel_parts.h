#pragma once

#include <cstdint>

namespace ddpm::kernels {

// How the gradient of weights [out, in] is divided among threads: into out × in equal parts, as many as there are threads, of
// multiples of 32 channels; 0 × 0 if that is impossible. A thread with a part of its own waits for no other and reads nothing
// that another one has written, which takes up to three times as long if the processors share no cache. Each sum is made by
// one thread, in one order.
struct ChannelParts {
    int64_t out = 0, in = 0;
};

inline ChannelParts channel_parts(int64_t out_channels, int64_t in_channels, int64_t threads) {
    constexpr int64_t panel = 32;
    ChannelParts best;
    for (int64_t out = 1; out <= threads; ++out) {
        const int64_t in = threads / out;
        if (out * in != threads || out_channels % (panel * out) != 0 || in_channels % (panel * in) != 0) continue;
        // Each thread prepares its channels of both sides for itself, so the fewer they are together, the better.
        if (best.out == 0 || out_channels / out + in_channels / in < out_channels / best.out + in_channels / best.in)
            best = {out, in};
    }
    return best;
}

}  // namespace ddpm::kernels
