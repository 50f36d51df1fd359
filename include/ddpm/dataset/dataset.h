#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/core/random.h"
#include "ddpm/dataset/options.h"

namespace ddpm {

// Pictures of one size, some with labels. Any number of threads may read at the same time.
class Dataset {
public:
    virtual ~Dataset() = default;

    // Examples, at least 1.
    virtual int64_t size() const = 0;
    // The class of label 0, 1, …; empty when the examples carry no labels.
    virtual const std::vector<std::string>& class_names() const = 0;
    // The class of an example, −1 where there is none. Cheap: looks at no pixels.
    virtual int64_t label(int64_t index) const = 0;
    // What it is, in a few words for the log: "mnist, train, 28x28 grey".
    virtual std::string describe() const = 0;

    int64_t height() const { return height_; }
    int64_t width() const { return width_; }
    int64_t channels() const { return channels_; }

    // Writes example `index` (0 … size() − 1) to `hwc`, height × width × channels bytes, rows top to bottom, as training
    // sees it, and returns its label. What is drawn at random (flip, crop) comes from `augmentation` alone. Throws
    // ddpm::Error where the picture can't be read.
    int64_t read(int64_t index, RandomStream& augmentation, uint8_t* hwc) const;

protected:
    explicit Dataset(const DatasetOptions& options)
        : height_(options.height), width_(options.width), channels_(options.channels), random_flip_(options.random_flip) {}

    // read() without the flip. Returns the label of the example that was read.
    virtual int64_t fetch(int64_t index, RandomStream& augmentation, uint8_t* hwc) const = 0;

private:
    int64_t height_, width_, channels_;
    bool random_flip_;
};

// A row of the table of data sets.
struct DatasetKind {
    std::string name;
    std::string summary;
    // `seed` matters to built-in sets; `threads` may be used while opening.
    std::unique_ptr<Dataset> (*open)(const DatasetOptions& options, uint64_t seed, int threads);
};

const std::vector<DatasetKind>& dataset_kinds();

// The data set that `options` describe, checked. Missing files, and a folder without a readable picture, are user_errors.
std::unique_ptr<Dataset> open_dataset(const DatasetOptions& options, uint64_t seed, int threads);

}  // namespace ddpm
