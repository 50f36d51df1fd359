#include "ddpm/report/column_curve.h"

#include <algorithm>
#include <cmath>

namespace ddpm {

namespace {

void merge(ColumnCurve::Column& into, const ColumnCurve::Column& other) {
    into.last = other.last;
    into.least = std::min(into.least, other.least);
    into.greatest = std::max(into.greatest, other.greatest);
    into.sum += other.sum;
    into.count += other.count;
}

}  // namespace

void ColumnCurve::add(int64_t step, double value) {
    if (!std::isfinite(value)) return;
    const Column one{step, step, value, value, value, 1};
    if (!columns_.empty() && columns_.back().first / width_ == step / width_)
        merge(columns_.back(), one);
    else
        columns_.push_back(one);
    while (columns_.size() > 2 * most_) widen();
}

void ColumnCurve::widen() {
    width_ *= 2;
    size_t kept = 0;
    for (size_t i = 1; i < columns_.size(); ++i) {
        if (columns_[kept].first / width_ == columns_[i].first / width_)
            merge(columns_[kept], columns_[i]);
        else
            columns_[++kept] = columns_[i];
    }
    columns_.resize(kept + 1);
}

std::vector<double> ColumnCurve::smoothed() const {
    std::vector<double> means;
    const size_t reach = std::max<size_t>(columns_.size() / 100, 2);
    for (size_t i = 0; i < columns_.size(); ++i) {
        double sum = 0, count = 0;
        for (size_t k = i - std::min(i, reach); k < std::min(i + reach + 1, columns_.size()); ++k) {
            sum += columns_[k].sum;
            count += static_cast<double>(columns_[k].count);
        }
        means.push_back(sum / count);
    }
    return means;
}

}  // namespace ddpm
