#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace ddpm {

// Whether samples are copies of training pictures. Averages over a set, such as authentic_share and data_copying, fall with copies
// but also rise as quality falls, so a bad model looks original; find_copies looks at each sample.
//
// Features [N, D] are pixels or what an extractor makes of them: floating, on any device; distances are Euclidean, in float64 on
// the CPU, by blocks. `train` is what the model was trained on, with flips of it if it saw them; `held_out` is data of the same
// kind that it was not trained on. All functions throw a user error if there are too few rows, if D differs or if a number is not
// finite.

// A share of N cases, 0 … 1, with Wilson's 95 % interval of a binomial proportion (Wilson 1927).
struct Share {
    double value, low, high;
};

// Returns the share of `hits` in `cases`, 0 ≤ hits ≤ cases, cases ≥ 1.
Share share_of(int64_t hits, int64_t cases);

// How many neighbours a ratio is taken over.
inline constexpr int64_t kRatioNeighbours = 50;

// The functions that end in _of take distances, from whatever search: [N] or [N, k], float64 on the CPU. The others take features.

// Returns the share of samples that are nearer to `train` than to `held_out`. Of samples that follow the law of both it is
// |T|/(|T| + |H|) on average. Of samples that are equally near to both, half count, rounded down.
Share share_nearer_to_train(const at::Tensor& features, const at::Tensor& train, const at::Tensor& held_out);
Share share_nearer_of(const at::Tensor& to_train, const at::Tensor& to_held_out);

// Returns how near each sample is to one training picture compared with its nearest fifty: ℓ = d_1/(½·mean of d_1 … d_k), k = 50 or
// |T| if that is less (Carlini et al. 2023, arXiv 2301.13188, with their α = ½). [N] float64, 0 … 2. A copy has 0. |T| ≥ 2.
at::Tensor nearness_ratios(const at::Tensor& features, const at::Tensor& train);
at::Tensor nearness_ratios_of(const at::Tensor& distances);  // [N, k] ascending

// Samples with a smaller ℓ than nearly all held-out pictures have.
struct CopiesFound {
    // The held-out ℓ below which a sample is flagged. It is 0 if 1 % of the held-out pictures are copies of training pictures; then
    // nothing can be flagged.
    double threshold;
    double expected;  // the share that is flagged on average if samples have the law of held-out pictures, about 1 %
    Share flagged;    // the share that is flagged; its interval leaves out what chance does to the threshold
    // The probability that so many or more are flagged if samples have the law of held-out pictures, chance in the threshold
    // included: that of a place in a random order of all pictures. Where ratios are equal it is an upper bound.
    double p_value;
    at::Tensor rows;  // [flagged] int64: which samples, the smallest ℓ first
};

// Flags the samples with ℓ below that of the held-out picture at place j = max(1, ⌊(|H| + 1)/100⌋) from below; then `expected` is
// j/(|H| + 1). `ratios` [N] and `held_out` [H] are nearness_ratios to the same `train`. N, H ≥ 1. For less than 99 held-out
// pictures more than 1 % is expected.
CopiesFound find_copies(const at::Tensor& ratios, const at::Tensor& held_out);

// Returns the share of samples y that are authentic: of the nearest training picture x*, d(x*, its nearest other training
// picture) < d(y, x*) (Alaa et al. 2022, arXiv 2102.08921). 100 times it is AuthPct. |T| ≥ 2.
Share authentic_share(const at::Tensor& features, const at::Tensor& train);
Share authentic_share_of(const at::Tensor& to_train, const at::Tensor& around);  // d(y, x*), and of x* to its nearest other one

// The test C_T of Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675) with one cell, the whole space.
struct DataCopying {
    double U;  // of Mann and Whitney: pairs (sample, held-out) in which the sample is farther from `train`; ties count ½
    double Z;  // (U − NH/2 + ½)/√(NH(N + H + 1)/12): about N(0, 1) if samples have the law of held-out pictures, below −3 if they
               // are copied, far above 0 if they are bad
};

DataCopying data_copying(const at::Tensor& features, const at::Tensor& train, const at::Tensor& held_out);
DataCopying data_copying_of(const at::Tensor& of_samples, const at::Tensor& of_held_out);  // their distances to `train`

}  // namespace ddpm
