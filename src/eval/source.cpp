#include "ddpm/eval/source.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/random.h"
#include "ddpm/image/pixels.h"

namespace ddpm {

std::vector<int64_t> spread(int64_t size, int64_t count) {
    count = std::min(count, size);
    std::vector<int64_t> places;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t begin = i * size / count, end = (i + 1) * size / count;
        RandomStream random(0, Purpose::spread, 0, static_cast<uint64_t>(i));
        places.push_back(begin + static_cast<int64_t>(random.below(static_cast<uint64_t>(end - begin))));
    }
    return places;
}

ImageSource dataset_source_at(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> places, uint64_t seed,
                              std::vector<int64_t> label_of) {
    ImageSource source;
    source.count = static_cast<int64_t>(places.size());
    source.description = fmt::format("{} pictures of {}", dataset->size(), dataset->describe());
    source.read = [dataset = std::move(dataset), places = std::move(places), seed, label_of = std::move(label_of)](int64_t first,
                                                                                                                   int64_t wanted) {
        ImageBatch batch{at::empty({wanted, dataset->height(), dataset->width(), dataset->channels()}, at::kByte),
                         at::empty({wanted}, at::kLong)};
        for (int64_t i = 0; i < wanted; ++i) {
            RandomStream augmentation(seed, Purpose::augmentation, static_cast<uint64_t>(first + i));
            const int64_t index = places[static_cast<size_t>(first + i)];
            const int64_t label = dataset->read(index, augmentation, batch.pixels[i].mutable_data_ptr<uint8_t>());
            batch.labels[i] = label < 0 || label_of.empty() ? label : label_of[static_cast<size_t>(label)];
        }
        return batch;
    };
    return source;
}

ImageSource dataset_source(std::shared_ptr<const Dataset> dataset, int64_t count, uint64_t seed, std::vector<int64_t> label_of) {
    const int64_t size = dataset->size();
    count = std::min(count, size);
    std::vector<int64_t> places;
    for (int64_t i = 0; i < count; ++i) places.push_back(i * size / count);
    return dataset_source_at(std::move(dataset), std::move(places), seed, std::move(label_of));
}

at::Tensor to_x_start(const at::Tensor& pixels) {
    const int64_t count = pixels.size(0), height = pixels.size(1), width = pixels.size(2), channels = pixels.size(3);
    const at::Tensor x = at::empty({count, channels, height, width}, at::kFloat);
    for (int64_t i = 0; i < count; ++i)
        to_signed_unit(pixels[i].const_data_ptr<uint8_t>(), static_cast<int>(height), static_cast<int>(width),
                       static_cast<int>(channels), x[i].mutable_data_ptr<float>());
    return x;
}

}  // namespace ddpm
