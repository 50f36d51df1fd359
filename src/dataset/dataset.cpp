#include "ddpm/dataset/dataset.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "dataset/kinds.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

void mirror_rows(uint8_t* hwc, int64_t height, int64_t width, int64_t channels) {
    for (int64_t y = 0; y < height; ++y) {
        uint8_t* row = hwc + y * width * channels;
        for (int64_t left = 0, right = width - 1; left < right; ++left, --right)
            std::swap_ranges(row + left * channels, row + (left + 1) * channels, row + right * channels);
    }
}

}  // namespace

int64_t Dataset::read(int64_t index, RandomStream& augmentation, uint8_t* hwc) const {
    const bool flip = random_flip_ && augmentation.coin();
    for (int64_t tried = 1;; ++tried, index = (index + 1) % size()) try {
            const int64_t label = fetch(index, augmentation, hwc);
            if (flip) mirror_rows(hwc, height_, width_, channels_);
            return label;
        } catch (const Error& error) {
            if (!may_replace(index, error)) throw;
            if (tried == size()) runtime_failure(describe() + ": no picture can be read any more");
        }
}

int64_t Dataset::read_as_it_is(int64_t index, uint8_t* hwc) const {
    RandomStream same(0, Purpose::augmentation);
    return fetch(index, same, hwc);
}

std::string Dataset::name(int64_t index) const { return fmt::format("picture {}", index); }

const std::vector<DatasetKind>& dataset_kinds() {
    static const std::vector<DatasetKind> kinds{
        {"shapes", "coloured shapes of ten classes, drawn on the fly", dataset::open_shapes},
        {"image_folder", "a folder of pictures; subfolders are classes", dataset::open_image_folder},
        {"cifar10", "CIFAR-10, binary version", dataset::open_cifar10},
        {"mnist", "MNIST and its look-alikes in IDX files, plain or .gz", dataset::open_mnist},
    };
    return kinds;
}

void dataset::refuse_file_for_folder(const DatasetOptions& options) {
    if (const fs::path path = options.path; !path.empty() && is_present(path) && !is_folder(path))
        refuse_kind(one_line(options.path), look_at(path), "the folder of the data set (dataset.path)");
}

std::unique_ptr<Dataset> open_dataset(const DatasetOptions& options, uint64_t seed, int threads) {
    check(options);
    dataset::refuse_file_for_folder(options);
    std::vector<std::string> names;
    for (const DatasetKind& kind : dataset_kinds()) {
        if (kind.name == options.type) return kind.open(options, seed, worker_count(options, threads));
        names.push_back(kind.name);
    }
    key_error("dataset.type", unknown_name("data set", options.type, names));
}

}  // namespace ddpm
