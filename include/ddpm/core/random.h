#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ddpm {

// Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): one block of 128 random bits
// for each 128-bit counter under a 64-bit key. No state: any block can be computed at any time, on any device.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// What a stream of random numbers is for. Streams of different purposes never share numbers. The values are part of
// every run's identity: append, never renumber.
enum class Purpose : uint32_t {
    weights = 1,       // initial parameters
    data_order = 2,    // step = epoch
    augmentation = 3,  // step = position in the endless sequence of examples
    timestep = 4,      // step = training step, index = position in the step's whole batch (ddpm/train/step.h: Streams)
    noise = 5,         // step and index as for timestep
    dropout = 6,       // step and index as for timestep; seeds the masks of an example (ddpm/kernels/noise.h)
    label_drop = 7,    // step and index as for timestep
    sample_start = 8,  // x_T of image `index`
    sample_noise = 9,  // noise of sampling step `step`, image `index`
    synthetic = 10,    // example `index` of a procedural data set
    preview = 11,      // pictures that are made only to be looked at
    eval = 12,         // noise of an evaluation; step = t, index = image
    holdout = 13,      // which examples are held out of training
    validation = 14,   // step = number of the held-out picture; index: 0 its augmentation, 1 its t, 2 its noise
    // What train.noise_offset and train.input_perturbation draw; step and index as for timestep.
    noise_offset = 15,
    input_perturbation = 16,
    // The offset of the channels of image `index`: step 0 that of x_T, step i + 1 that of the noise of sampling step i.
    sample_offset = 17,
    sample_known = 18,  // noise on the known part of image `index` after sampling step `step` (a mask)
    sample_undo = 19,   // noise of the `step`-th step of image `index` that RePaint undoes
    judging = 20,       // step = training step; the seed of the samples that are judged after it
    spread = 21,        // which of a part of a data set is taken; index = part
};

// Returns the seed for what a run draws after `attempt` rollbacks. For attempt 0 it is `seed` itself.
uint64_t attempt_seed(uint64_t seed, uint64_t attempt);

// A stream of random numbers that follows from its arguments alone, so that no state has to be stored.
// It is not thread-safe, but cheap: make one for each thread.
class RandomStream {
public:
    RandomStream(uint64_t seed, Purpose purpose, uint64_t step = 0, uint64_t index = 0);

    uint32_t next_u32();
    uint64_t next_u64();
    // In [0, 1), 53 bits.
    double uniform();
    // In [low, high).
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    // 0 … n−1 without bias. n ≥ 1.
    uint64_t below(uint64_t n);
    bool coin(double probability = 0.5) { return uniform() < probability; }
    // N(0, 1) by Box–Muller in double precision.
    double normal();
    // Writes the next `count` values of normal(), rounded to float32.
    void fill_normal(float* out, size_t count);
    // The key and counter of the first block, as long as nothing has been drawn: another device continues from here. Block b
    // has counter[0] + b. The stream of `index` + n has counter[1] + n, as long as index + n < 2^32.
    std::array<uint32_t, 2> key() const { return key_; }
    std::array<uint32_t, 4> counter() const { return counter_; }
    // Returns a seed for a generator of another library.
    uint64_t seed() { return next_u64(); }

private:
    std::array<uint32_t, 2> key_;
    std::array<uint32_t, 4> counter_;
    std::array<uint32_t, 4> block_{};
    unsigned used_ = 4;
    double spare_normal_ = 0;
    bool has_spare_ = false;
};

}  // namespace ddpm
