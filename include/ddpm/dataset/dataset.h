#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/core/random.h"
#include "ddpm/dataset/options.h"

namespace ddpm {

// Pictures of one size, with or without labels. Any number of threads may read at the same time.
class Dataset {
public:
    virtual ~Dataset() = default;

    // The number of examples, at least 1.
    virtual int64_t size() const = 0;
    // The names of the classes 0, 1, …; empty if the examples have no labels.
    virtual const std::vector<std::string>& class_names() const = 0;
    // The class of an example, or −1 if it has none. It reads no pixels. If read() has to take another example in place of
    // this one, read() returns the label of that one.
    virtual int64_t label(int64_t index) const = 0;
    // What it is, in a few words for the log: "mnist, train, 28x28 grey".
    virtual std::string describe() const = 0;

    int64_t height() const { return height_; }
    int64_t width() const { return width_; }
    int64_t channels() const { return channels_; }

    // Writes example `index` (0 … size() − 1) to `hwc`, height × width × channels bytes, rows top to bottom, as training
    // sees it, and returns its label. What is random (flip, crop) is drawn from `augmentation` alone. If the data set allows
    // it, a picture that can't be read is replaced, together with its label, by the next one that can. If it does not, or
    // no picture can be read any more, ddpm::Error is thrown.
    int64_t read(int64_t index, RandomStream& augmentation, uint8_t* hwc) const;

protected:
    explicit Dataset(const DatasetOptions& options)
        : height_(options.height), width_(options.width), channels_(options.channels), random_flip_(options.random_flip) {}

    // Does what read() does, but without the flip, and without taking another example. Returns the label.
    virtual int64_t fetch(int64_t index, RandomStream& augmentation, uint8_t* hwc) const = 0;
    // Whether read() may go on with the next example after fetch() has thrown `error`. It may log a warning or throw another
    // error.
    virtual bool may_replace([[maybe_unused]] int64_t index, [[maybe_unused]] const Error& error) const { return false; }

    // These call the two functions above on another data set, for a data set that is made from it.
    static int64_t fetch_of(const Dataset& other, int64_t index, RandomStream& augmentation, uint8_t* hwc) {
        return other.fetch(index, augmentation, hwc);
    }
    static bool may_replace_of(const Dataset& other, int64_t index, const Error& error) { return other.may_replace(index, error); }

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

// Checks `options` and opens the data set that they describe. `threads` is the number that the program uses; dataset.workers
// overrides it. Missing or damaged files and a folder without a readable picture are user_errors.
std::unique_ptr<Dataset> open_dataset(const DatasetOptions& options, uint64_t seed, int threads);

}  // namespace ddpm
