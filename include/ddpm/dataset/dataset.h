#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/random.h"
#include "ddpm/dataset/options.h"

namespace ddpm {

// Checksums (crc32) of what a data set is made from, in the order of its examples. They are equal wherever the same files lie.
struct DataFingerprint {
    uint32_t names = 0;  // of the files, below the data set's folder
    uint32_t sizes = 0;  // of the files, in bytes
    uint32_t bytes = 0;  // of a sample of what is in them
};

// Pictures of one size, with or without labels. Any number of threads may read at the same time.
class Dataset {
public:
    virtual ~Dataset() = default;

    // The number of examples, at least 1.
    virtual int64_t size() const = 0;
    // The names of the classes 0, 1, …; empty if the examples have no labels.
    virtual const std::vector<std::string>& class_names() const = 0;
    // The names of classes that the data set seems to mean but has no example of, and no label for: subfolders of an image_folder in
    // which no picture can be read. A program that trains by label should refuse them, because the number of a class would depend on
    // what can be read.
    virtual std::vector<std::string> empty_classes() const { return {}; }
    // The class of an example, or −1 if it has none. It reads no pixels. If read() has to take another example in place of
    // this one, read() returns the label of that one.
    virtual int64_t label(int64_t index) const = 0;
    // What its user knows an example by, on one line: the path of its file below the data set's folder, or else "picture 17", counted
    // from 0.
    virtual std::string name(int64_t index) const;
    // What its user should know before training, on one line: what looks like pictures and was left out. Empty for nothing.
    virtual std::string notes() const { return {}; }
    // What it is, in a few words for the log: "mnist, train, 28x28 grey".
    virtual std::string describe() const = 0;
    // What tells this data from other data, read anew with so many threads; nothing for a set that is made from its options
    // alone. A file that can't be read counts as an empty one.
    virtual std::optional<DataFingerprint> fingerprint([[maybe_unused]] int threads) const { return std::nullopt; }

    int64_t height() const { return height_; }
    int64_t width() const { return width_; }
    int64_t channels() const { return channels_; }

    // Writes example `index` (0 … size() − 1) to `hwc`, height × width × channels bytes, rows top to bottom, as training
    // sees it, and returns its label. What is random (flip, crop) is drawn from `augmentation` alone. If the data set allows
    // it, a picture that can't be read is replaced, together with its label, by the next one that can. If it does not, or
    // no picture can be read any more, ddpm::Error is thrown.
    int64_t read(int64_t index, RandomStream& augmentation, uint8_t* hwc) const;

    // Does what read() does, but never mirrors, takes the same random crop every time and never takes another example: one that can't
    // be read is a ddpm::Error.
    int64_t read_as_it_is(int64_t index, uint8_t* hwc) const;

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
