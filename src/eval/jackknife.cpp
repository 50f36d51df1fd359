#include "ddpm/eval/jackknife.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/random.h"

namespace ddpm {

double Jackknifed::sd() const {
    const double groups = static_cast<double>(without.size());
    const double mean = std::accumulate(without.begin(), without.end(), 0.0) / groups;
    double squares = 0;
    for (const double value : without) squares += (value - mean) * (value - mean);
    return std::sqrt((groups - 1) / groups * squares);
}

Jackknifed jackknife_difference(const Jackknifed& one, const Jackknifed& other) {
    if (one.without.size() != other.without.size())
        user_error(fmt::format("a jackknife of {} groups cannot be subtracted from one of {}; measure both alike",
                               other.without.size(), one.without.size()));
    Jackknifed difference{one.value - other.value, {}};
    for (size_t i = 0; i < one.without.size(); ++i) difference.without.push_back(one.without[i] - other.without[i]);
    return difference;
}

bool is_told_apart(const Jackknifed& difference) { return std::abs(difference.value) > 2 * difference.sd(); }

at::Tensor mixed_rows(int64_t n) {
    // Each row's place follows from 64 random bits of its number. This key is that of no RandomStream.
    std::vector<uint64_t> keys(static_cast<size_t>(n));
    for (size_t i = 0; i < keys.size(); ++i) {
        const auto bits = philox4x32({static_cast<uint32_t>(i), static_cast<uint32_t>(uint64_t{i} >> 32), 0, 0}, {0, 0});
        keys[i] = uint64_t{bits[0]} << 32 | bits[1];
    }
    const at::Tensor rows = at::arange(n, at::kLong);
    int64_t* first = rows.mutable_data_ptr<int64_t>();
    std::stable_sort(first, first + n,
                     [&](int64_t a, int64_t b) { return keys[static_cast<size_t>(a)] < keys[static_cast<size_t>(b)]; });
    return rows;
}

std::vector<at::Tensor> jackknife_groups(int64_t n) {
    if (n < 2 * kJackknifeGroups)
        user_error(
            fmt::format("a standard deviation is computed by leaving out each of {} groups, which takes at least {} pictures, "
                        "but there are {}; take more pictures",
                        kJackknifeGroups, 2 * kJackknifeGroups, n));
    const at::Tensor mixed = mixed_rows(n);
    std::vector<at::Tensor> groups;
    for (int64_t g = 0; g < kJackknifeGroups; ++g) groups.push_back(std::get<0>(mixed.slice(0, g, n, kJackknifeGroups).sort()));
    return groups;
}

at::Tensor rows_without(const std::vector<at::Tensor>& groups, size_t group) {
    std::vector<at::Tensor> rest;
    for (size_t g = 0; g < groups.size(); ++g)
        if (g != group) rest.push_back(groups[g]);
    return at::cat(rest);
}

Jackknifed jackknife(int64_t n, const std::function<double(const at::Tensor& rows)>& statistic) {
    return jackknife_each(n, [&](const at::Tensor& rows) { return std::vector<double>{statistic(rows)}; }).front();
}

std::vector<Jackknifed> jackknife_each(int64_t n, const std::function<std::vector<double>(const at::Tensor& rows)>& statistic) {
    const std::vector<at::Tensor> groups = jackknife_groups(n);
    std::vector<Jackknifed> results;
    for (const double value : statistic(at::arange(n, at::kLong))) results.push_back({value, {}});
    for (size_t g = 0; g < groups.size(); ++g) {
        const std::vector<double> without = statistic(rows_without(groups, g));
        for (size_t i = 0; i < results.size(); ++i) results[i].without.push_back(without.at(i));
    }
    return results;
}

}  // namespace ddpm
