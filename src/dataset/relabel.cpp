#include "ddpm/dataset/relabel.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ddpm {

namespace {

class Relabelled : public Dataset {
public:
    Relabelled(std::shared_ptr<const Dataset> dataset, std::vector<std::string> names, std::vector<int64_t> labels)
        : Dataset(*dataset), dataset_(std::move(dataset)), names_(std::move(names)), labels_(std::move(labels)) {}

    int64_t size() const override { return dataset_->size(); }
    const std::vector<std::string>& class_names() const override { return names_; }
    std::vector<std::string> empty_classes() const override { return dataset_->empty_classes(); }
    std::string name(int64_t index) const override { return dataset_->name(index); }
    std::string notes() const override { return dataset_->notes(); }
    std::optional<DataFingerprint> fingerprint(int threads) const override { return dataset_->fingerprint(threads); }
    int64_t label(int64_t index) const override { return changed(dataset_->label(index)); }
    std::string describe() const override { return dataset_->describe(); }

protected:
    int64_t fetch(int64_t index, RandomStream& augmentation, uint8_t* hwc) const override {
        return changed(fetch_of(*dataset_, index, augmentation, hwc));
    }
    bool may_replace(int64_t index, const Error& error) const override { return may_replace_of(*dataset_, index, error); }

private:
    int64_t changed(int64_t label) const { return label < 0 ? label : labels_[static_cast<size_t>(label)]; }

    std::shared_ptr<const Dataset> dataset_;
    std::vector<std::string> names_;
    std::vector<int64_t> labels_;  // of each label of the data set
};

}  // namespace

std::shared_ptr<const Dataset> relabel(const std::shared_ptr<const Dataset>& dataset, const std::vector<std::string>& names) {
    const std::vector<std::string>& now = dataset->class_names();
    if (names == now) return dataset;
    std::set<std::string> wanted(names.begin(), names.end());
    if (wanted.size() != names.size()) return nullptr;
    std::vector<int64_t> labels;
    for (const std::string& name : now) {
        if (wanted.erase(name) == 0) return nullptr;
        labels.push_back(std::find(names.begin(), names.end(), name) - names.begin());
    }
    for (const std::string& name : dataset->empty_classes()) wanted.erase(name);
    return wanted.empty() ? std::make_shared<Relabelled>(dataset, names, std::move(labels)) : nullptr;
}

}  // namespace ddpm
