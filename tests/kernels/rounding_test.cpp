#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "ddpm/kernels/instruction_set.h"
#include "kernels/linear.h"

namespace ddpm::kernels {
namespace {

// The nearest bfloat16, ties to even, by distances in double; a NaN cut off, and quiet.
uint16_t nearest_bf16(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    const auto cut = static_cast<uint16_t>(bits >> 16);
    if (std::isnan(x)) return cut | 0x40;
    if (std::isinf(x)) return cut;
    const auto value = [](uint16_t magnitude) {  // 2^128 takes infinity's place
        return magnitude == 0x7F80 ? std::ldexp(1.0, 128) : std::bit_cast<float>(static_cast<uint32_t>(magnitude) << 16);
    };
    const auto below = static_cast<uint16_t>(cut & 0x7FFF), above = static_cast<uint16_t>(below + 1),
               sign = static_cast<uint16_t>(cut & 0x8000);
    const double down = std::abs(x) - value(below), up = value(above) - std::abs(x);
    const bool takes_above = up < down || (up == down && below % 2 == 1);
    return sign | (takes_above ? above : below);
}

// Every upper half of a float (NaN of every payload, infinities, denormals, zeros) with the lower halves where rounding turns.
// The numbers go through a kernel as the bias of a linear map of zeros.
TEST(Bf16, IsRoundedAsByDistance) {
    constexpr int64_t in = 32, out = 1 << 16;
    const std::vector<uint16_t> x(in, 0);
    const std::vector<float> weight(static_cast<size_t>(in * out), 0.0f);
    std::vector<float> bias(out);
    std::vector<uint16_t> y(out);
    for (const char* instructions : {"avx512", "avx2"}) {
        cap_instruction_set(instructions, "test");
        for (const uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
            for (size_t i = 0; i < bias.size(); ++i) bias[i] = std::bit_cast<float>(static_cast<uint32_t>(i) << 16 | lower);
            linear_forward(LinearShape{1, in, out}, x.data(), weight.data(), bias.data(), static_cast<const uint16_t*>(nullptr),
                           y.data());
            int wrong = 0;
            for (size_t i = 0; i < bias.size(); ++i) {
                const uint16_t expected = nearest_bf16(0.0f + bias[i]);
                if (y[i] == expected) continue;
                if (++wrong <= 5)
                    ADD_FAILURE() << std::hex << std::bit_cast<uint32_t>(bias[i]) << " became " << y[i] << ", expected "
                                  << expected;
            }
            EXPECT_EQ(wrong, 0) << instructions << ", lower half " << lower;
        }
    }
    cap_instruction_set("avx512", "test");
}

}  // namespace
}  // namespace ddpm::kernels
