#include "ddpm/dataset/holdout.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "dataset/order.h"

namespace ddpm {

namespace {

// Some examples of a data set. It reads and mirrors them as the whole does. A picture that can't be read is replaced by one of
// the same part, so that no held-out picture stands in for one of training, or the other way round.
class PartOfDataset : public Dataset {
public:
    PartOfDataset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> index)
        : Dataset(*whole), whole_(std::move(whole)), index_(std::move(index)) {}

    int64_t size() const override { return static_cast<int64_t>(index_.size()); }
    const std::vector<std::string>& class_names() const override { return whole_->class_names(); }
    std::vector<std::string> empty_classes() const override { return whole_->empty_classes(); }
    std::string name(int64_t i) const override { return whole_->name(index_[static_cast<size_t>(i)]); }
    std::string notes() const override { return whole_->notes(); }
    int64_t label(int64_t i) const override { return whole_->label(index_[static_cast<size_t>(i)]); }
    std::string describe() const override { return fmt::format("{} of {} of {}", size(), whole_->size(), whole_->describe()); }
    std::optional<DataFingerprint> fingerprint(int threads) const override { return whole_->fingerprint(threads); }

protected:
    int64_t fetch(int64_t i, RandomStream& augmentation, uint8_t* hwc) const override {
        return fetch_of(*whole_, index_[static_cast<size_t>(i)], augmentation, hwc);
    }
    bool may_replace(int64_t i, const Error& error) const override {
        return may_replace_of(*whole_, index_[static_cast<size_t>(i)], error);
    }

private:
    std::shared_ptr<const Dataset> whole_;
    std::vector<int64_t> index_;
};

}  // namespace

int64_t held_out_count(int64_t size, double holdout) {
    if (holdout == 0) return 0;
    const double wanted = holdout < 1 ? std::max(1.0, std::round(holdout * static_cast<double>(size))) : holdout;
    if (wanted >= static_cast<double>(size))
        key_error("dataset.holdout",
                  fmt::format("{} holds out {:.0f} of {} images and leaves none to train on", holdout, wanted, size));
    return static_cast<int64_t>(wanted);
}

Split split_dataset(const std::shared_ptr<const Dataset>& whole, double holdout, uint64_t seed) {
    const int64_t size = whole->size(), count = held_out_count(size, holdout);
    dataset::check_order_fits(size, 2);  // `order`, and the lists of both parts together
    std::vector<int64_t> order(static_cast<size_t>(size));
    std::iota(order.begin(), order.end(), int64_t{0});
    RandomStream stream(seed, Purpose::holdout);
    for (int64_t i = 0; i < count; ++i)
        std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i) + stream.below(static_cast<uint64_t>(size - i))]);
    std::sort(order.begin(), order.begin() + count);
    std::sort(order.begin() + count, order.end());
    Split split;
    split.held_out = std::make_unique<PartOfDataset>(whole, std::vector<int64_t>(order.begin(), order.begin() + count));
    split.training = std::make_unique<PartOfDataset>(whole, std::vector<int64_t>(order.begin() + count, order.end()));
    return split;
}

}  // namespace ddpm
