#include "cli/neighbours_data.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/holdout.h"
#include "ddpm/eval/source.h"

namespace ddpm::cli {

namespace {

// Opens the split that a data set was not trained on; null where its files are missing.
std::shared_ptr<const Dataset> other_split(DatasetOptions options, uint64_t seed, int threads) {
    options.split = options.split == "train" ? "test" : "train";
    try {
        return open_dataset(options, seed, threads);
    } catch (const Error& error) {
        spdlog::warn("the pictures of split {} can't be taken as held out: {}", options.split, error.what());
        return nullptr;
    }
}

}  // namespace

NeighbourData open_neighbour_data(const NamedData& named, const std::string& folder, int64_t most, int threads) {
    DatasetOptions options = named.options;
    const auto seed = static_cast<uint64_t>(named.seed);
    NeighbourData data;
    data.mirrored = options.random_flip;
    options.random_flip = false;
    const std::shared_ptr<const Dataset> whole = open_dataset(options, seed, threads);
    if (const std::string notes = whole->notes(); !notes.empty()) spdlog::warn(notes);
    data.training = whole;
    int64_t first = 0;
    std::string why;
    const auto hold_out = [&](std::shared_ptr<const Dataset> pictures, const std::string& reason) {
        data.held_out = std::move(pictures);
        why = reason;
    };
    if (held_out_count(whole->size(), options.holdout) > 0) {
        Split split = split_dataset(whole, options.holdout, seed);
        data.training = std::move(split.training);
        hold_out(std::move(split.held_out), "dataset.holdout");
    }
    if (!folder.empty()) {
        DatasetOptions elsewhere = options;
        elsewhere.type = "image_folder";
        elsewhere.split = DatasetOptions{}.split;
        elsewhere.path = folder;
        hold_out(open_dataset(elsewhere, seed, threads), "--held-out-data");
    } else if (!data.held_out && (options.type == "cifar10" || options.type == "mnist")) {
        hold_out(other_split(options, seed, threads), "the other split");
    } else if (!data.held_out && options.type == "shapes") {
        first = options.length;
        options.length += most;
        hold_out(open_dataset(options, seed, threads), "after dataset.length");
    }
    for (const int64_t place : spread(data.beside().size() - first, most)) data.places.push_back(first + place);
    if (data.held_out)
        data.held_out_source = fmt::format("{}: {} of {}", why, plural(static_cast<int64_t>(data.places.size()), "picture"),
                                           data.held_out->describe());
    return data;
}

NumberedPictures NeighbourReader::read(const Dataset& dataset, const std::vector<int64_t>& places) {
    const auto count = static_cast<int64_t>(places.size());
    const at::Tensor pixels = at::empty({count, dataset.height(), dataset.width(), dataset.channels()}, at::kByte);
    const int64_t bytes = dataset.height() * dataset.width() * dataset.channels();
    auto* const begin = pixels.mutable_data_ptr<uint8_t>();
    std::vector<std::string> reasons(places.size());
    at::parallel_for(0, count, 1, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) try {
                dataset.read_as_it_is(places[static_cast<size_t>(i)], begin + i * bytes);
            } catch (const Error& error) {
                reasons[static_cast<size_t>(i)] = error.what();
            }
    });
    std::vector<int64_t> sound, numbers;
    for (size_t i = 0; i < places.size(); ++i) {
        if (reasons[i].empty()) {
            sound.push_back(static_cast<int64_t>(i));
            numbers.push_back(places[i]);
        } else if (reason_.empty()) {
            reason_ = reasons[i];
        }
    }
    return {pixels.index_select(0, at::tensor(sound, at::kLong)), at::tensor(numbers, at::kLong)};
}

NumberedPictures NeighbourReader::training(int64_t first, int64_t n) {
    std::vector<int64_t> places(static_cast<size_t>(n));
    std::iota(places.begin(), places.end(), first);
    return read(*data_.training, places);
}

NumberedPictures NeighbourReader::beside() { return read(data_.beside(), data_.places); }

}  // namespace ddpm::cli
