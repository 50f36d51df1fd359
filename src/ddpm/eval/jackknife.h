#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm {

inline constexpr int64_t kJackknifeGroups = 10;

// A number about N samples, and what it is without each tenth of them (the jackknife; Efron and Tibshirani 1993, "An Introduction
// to the Bootstrap", chapter 11). Both are in the unit of the number. A bootstrap would draw some samples twice, and distances
// between sets grow with that.
struct Jackknifed {
    double value;                 // of all samples
    std::vector<double> without;  // θ_i, of all but group i; kJackknifeGroups of them

    // √((G−1)/G·Σ(θ_i − θ̄)²) of the G groups: how much the value would differ with other samples of the same model. The interval
    // value ± 2·sd() misses the expectation of `value` in 8 of 100 cases (Student's t with 9 degrees of freedom), and in fewer
    // where groups hardly matter one by one: the difference of two models that both match the reference misses 0 in 3 of 100.
    double sd() const;
};

// Returns one − other of two models that were measured in the same way, the groups paired: samples of one place should have begun
// at the same noise. sd() of it is that of the difference. Throws a user error if they have other numbers of groups.
Jackknifed jackknife_difference(const Jackknifed& one, const Jackknifed& other);

// Whether a difference is one: ±2·sd() around it does not hold 0.
bool is_told_apart(const Jackknifed& difference);

// Returns the rows of each group, ascending [m] int64 on the CPU. The groups divide 0 … n−1 among them, differ in size by at most
// one, and follow from n alone. They are mixed, because rows may be sorted, or turn from class to class. Throws a user error if
// there are fewer than two rows for each group, n < 20.
std::vector<at::Tensor> jackknife_groups(int64_t n);

// Returns the rows of all groups but one, [m] int64: group by group.
at::Tensor rows_without(const std::vector<at::Tensor>& groups, size_t group);

// Jackknifes any statistic: computes it of all n samples and without each group. It gets the numbers of the rows that it shall use,
// [m] int64, for at::Tensor::index_select. Throws what jackknife_groups and the statistic throw.
Jackknifed jackknife(int64_t n, const std::function<double(const at::Tensor& rows)>& statistic);

// The same of a statistic with several numbers, which must always be as many.
std::vector<Jackknifed> jackknife_each(int64_t n, const std::function<std::vector<double>(const at::Tensor& rows)>& statistic);

// Returns the numbers 0 … n−1 in a mixed order that follows from n alone, [n] int64 on the CPU.
at::Tensor mixed_rows(int64_t n);

}  // namespace ddpm
