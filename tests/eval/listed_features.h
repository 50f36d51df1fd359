#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "ddpm/eval/features.h"
#include "ddpm/eval/source.h"

namespace ddpm {

// Features whose numbers a test gives: picture i, of 1×1×2 pixels that hold i, has row i of a table, which begins anew after its last.
class ListedFeatures : public Features {
public:
    explicit ListedFeatures(at::Tensor rows, const std::string& name = "listed")
        : Features({.features = name,
                    .definition = "rows of a table",
                    .sha256 = {},
                    .resize = "none",
                    .range = "8 bits",
                    .pictures = {1, 1, 2},
                    .dimension = rows.size(1)}),
          rows_(rows.to(at::kFloat)) {}

private:
    at::Tensor compute(const at::Tensor& bytes) const override {
        const at::Tensor two = bytes.flatten(1).to(at::kLong);
        return rows_.index_select(0, (two.select(1, 0) + 256 * two.select(1, 1)).remainder(rows_.size(0)));
    }

    at::Tensor rows_;
};

// Pictures first, first + step, …, `count` of them.
inline ImageSource listed_pictures(int64_t first, int64_t count, int64_t step = 1) {
    ImageSource source;
    source.count = count;
    source.description = "listed pictures";
    source.read = [first, step](int64_t from, int64_t n) {
        const at::Tensor i = first + step * at::arange(from, from + n, at::kLong);
        return ImageBatch{at::stack({i.remainder(256), i.div(256, "floor")}, 1).to(at::kByte).view({n, 1, 2, 1}).contiguous(),
                          at::full({n}, -1, at::kLong)};
    };
    return source;
}

}  // namespace ddpm
