#include "ddpm/eval/moments.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "eval/blocks.h"

namespace ddpm {

namespace {

void check_width(int64_t width, int64_t before) {
    if (width != before)
        user_error(fmt::format("features have {} columns, but those before them have {}; take all from the same extractor", width,
                               before));
}

}  // namespace

void Moments::add(const at::Tensor& features) {
    const c10::InferenceMode no_gradients;
    eval::check_features(features, 1, "features");
    if (count_ > 0) check_width(features.size(1), origin_.size(0));
    for (int64_t first = 0; first < features.size(0); first += eval::kBlockRows) {
        const at::Tensor block = eval::block_at(features, first);
        if (count_ == 0) {
            origin_ = block.mean(0);
            sum_ = at::zeros_like(origin_);
            products_ = at::zeros({origin_.size(0), origin_.size(0)}, origin_.options());
        }
        const at::Tensor x = block - origin_;
        sum_ = sum_ + x.sum(0);
        products_ = at::addmm(products_, x.t(), x);  // not in place: copies of this object share the tensor
        count_ += x.size(0);
    }
}

at::Tensor Moments::mean() const { return origin_ + sum_ / static_cast<double>(count_); }

at::Tensor Moments::scatter() const { return products_ - at::outer(sum_, sum_) / static_cast<double>(count_); }

void Moments::merge(const Moments& other) {
    const c10::InferenceMode no_gradients;
    if (other.count_ == 0) return;
    if (count_ > 0) check_width(other.origin_.size(0), origin_.size(0));
    const int64_t count = count_ + other.count_;
    const double share = static_cast<double>(other.count_) / static_cast<double>(count);
    const at::Tensor apart = count_ == 0 ? at::zeros_like(other.origin_) : other.mean() - mean();
    at::Tensor scatter = other.scatter();
    if (count_ > 0) scatter += this->scatter() + at::outer(apart, apart) * (share * static_cast<double>(count_));
    origin_ = other.mean() - (1 - share) * apart;
    sum_ = at::zeros_like(origin_);
    products_ = scatter;
    count_ = count;
}

GaussianFit Moments::fit() const {
    const c10::InferenceMode no_gradients;
    if (count_ < 2)
        user_error(fmt::format("a covariance needs the features of at least 2 pictures, but there are {}; take more", count_));
    return {mean(), scatter() / static_cast<double>(count_ - 1)};
}

}  // namespace ddpm
