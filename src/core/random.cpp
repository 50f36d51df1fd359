#include "ddpm/core/random.h"

#include <cmath>
#include <numbers>

namespace ddpm {

namespace {

// The finaliser of SplitMix64: every input bit reaches every output bit.
uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
        const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
                   static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

uint64_t attempt_seed(uint64_t seed, uint64_t attempt) {
    if (attempt == 0) return seed;
    constexpr uint64_t no_epoch = ~uint64_t{0};
    return RandomStream(seed, Purpose::data_order, no_epoch, attempt).seed();
}

// Key: seed, purpose and the upper half of index. Counter: block, lower half of index, step. So streams of one seed and
// purpose can't overlap within 2^34 numbers, steps up to 2^64 and indices up to 2^32.
RandomStream::RandomStream(uint64_t seed, Purpose purpose, uint64_t step, uint64_t index) {
    const uint64_t key = mix(mix(mix(seed) ^ static_cast<uint64_t>(purpose)) ^ (index >> 32));
    key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
    counter_ = {0, static_cast<uint32_t>(index), static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)};
}

uint32_t RandomStream::next_u32() {
    if (used_ == 4) {
        block_ = philox4x32(counter_, key_);
        ++counter_[0];
        used_ = 0;
    }
    return block_[used_++];
}

uint64_t RandomStream::next_u64() {
    const uint64_t low = next_u32();
    return low | (uint64_t{next_u32()} << 32);
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

uint64_t RandomStream::below(uint64_t n) {
    // Rejects the incomplete last multiple of n, so that every remainder is equally likely.
    const uint64_t threshold = (0 - n) % n;
    uint64_t value = next_u64();
    while (value < threshold) value = next_u64();
    return value % n;
}

double RandomStream::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_normal_;
    }
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_normal_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
}

void RandomStream::fill_normal(float* out, size_t count) {
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(normal());
}

}  // namespace ddpm
