#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ddpm {

// A curve over the steps of a run in bounded memory, however many steps there are. Steps that fall into one column of the drawing are
// kept as their least, greatest and mean value, so that no outlier is lost. A column is one step wide at first; whenever there are more
// than twice `most` columns, neighbours are merged two by two and all columns are twice as wide.
class ColumnCurve {
public:
    struct Column {
        int64_t first = 0, last = 0;  // the steps of its first and last value
        double least = 0, greatest = 0, sum = 0;
        int64_t count = 0;

        double step() const { return static_cast<double>(first + last) / 2; }
        double mean() const { return sum / static_cast<double>(count); }
    };

    explicit ColumnCurve(size_t most = 800) : most_(most) {}

    // Adds the value of a step ≥ 0. Steps must not descend. A value that is not finite is left out.
    void add(int64_t step, double value);

    bool empty() const { return columns_.empty(); }
    const std::vector<Column>& columns() const { return columns_; }  // at most twice `most`; the steps ascend
    int64_t width() const { return width_; }                         // steps of a column, a power of two

    // Returns for each column the mean of all values in about a fiftieth of the columns around it.
    std::vector<double> smoothed() const;

private:
    void widen();

    size_t most_;
    int64_t width_ = 1;
    std::vector<Column> columns_;
};

}  // namespace ddpm
