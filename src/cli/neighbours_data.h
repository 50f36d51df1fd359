#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/eval_flags.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/eval/copy_search.h"

namespace ddpm::cli {

// The real pictures beside which samples are looked at for copies: those of training, and those that were held out of it.
struct NeighbourData {
    std::shared_ptr<const Dataset> training;
    std::shared_ptr<const Dataset> held_out;  // null: none are known
    std::vector<int64_t> places;              // in `held_out`, or in `training` where none are known, of those that are taken
    std::string held_out_source;              // "dataset.holdout: 500 of 50000 of …"
    bool mirrored = false;                    // whether the training mirrors pictures

    // The data set that `places` are of.
    const Dataset& beside() const { return held_out ? *held_out : *training; }
};

// Opens them as the training of that configuration did. What is held out is, in this order: the pictures of `folder`, if it is not empty;
// dataset.holdout; of cifar10 and mnist the other split; of shapes the pictures that come after dataset.length. At most `most` of
// them are taken, spread evenly.
NeighbourData open_neighbour_data(const NamedData& named, const std::string& folder, int64_t most, int threads);

// Reads real pictures for search_copies. What can't be read is left out and counted.
class NeighbourReader {
public:
    explicit NeighbourReader(const NeighbourData& data) : data_(data) {}

    // Training pictures first … first + n − 1 (CopySets::read).
    NumberedPictures training(int64_t first, int64_t n);
    // The pictures at data.places, whose numbers are those places.
    NumberedPictures beside();
    // Why the first picture that couldn't be read couldn't; empty if all could.
    const std::string& reason() const { return reason_; }

private:
    NumberedPictures read(const Dataset& dataset, const std::vector<int64_t>& places);

    const NeighbourData& data_;
    std::string reason_;
};

}  // namespace ddpm::cli
