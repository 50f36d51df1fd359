#include "dataset/memory_dataset.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "dataset/fingerprint.h"
#include "dataset/framing.h"
#include "ddpm/core/text.h"
#include "ddpm/image/transform.h"

namespace ddpm::dataset {

namespace {

class MemoryDataset : public Dataset {
public:
    MemoryDataset(const DatasetOptions& options, StoredPictures pictures, const std::string& description)
        : Dataset(options),
          frame_{options.width, options.height},
          random_crop_(options.crop == "random"),
          pictures_(std::move(pictures)),
          description_(fmt::format("{}, {}x{} {}", description, pictures_.width, pictures_.height,
                                   pictures_.channels == 1 ? "grey" : "RGB")) {}

    int64_t size() const override { return static_cast<int64_t>(pictures_.labels.size()); }
    const std::vector<std::string>& class_names() const override { return pictures_.class_names; }
    int64_t label(int64_t index) const override { return pictures_.labels[static_cast<size_t>(index)]; }
    std::string describe() const override { return description_; }
    // Of all pictures and labels, which are the same whether the files are packed or not.
    std::optional<DataFingerprint> fingerprint(int) const override {
        const auto sum = [](uint32_t before, const std::vector<uint8_t>& bytes) {
            return checksum(before, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        };
        const std::string size =
            fmt::format("{}x{}x{}x{}", pictures_.labels.size(), pictures_.height, pictures_.width, pictures_.channels);
        return DataFingerprint{checksum(0, join(pictures_.class_names, "\n")), checksum(0, size),
                               sum(sum(0, pictures_.pixels), pictures_.labels)};
    }

protected:
    int64_t fetch(int64_t index, RandomStream& augmentation, uint8_t* hwc) const override {
        const int64_t bytes = pictures_.height * pictures_.width * pictures_.channels;
        const uint8_t* from = pictures_.pixels.data() + index * bytes;
        Image image{static_cast<int>(pictures_.width), static_cast<int>(pictures_.height), static_cast<int>(pictures_.channels),
                    std::vector<uint8_t>(from, from + bytes)};
        if (pictures_.channels != channels()) image = convert_channels(image, static_cast<int>(channels()));
        frame_picture(cover(image, frame_), frame_, random_crop_, augmentation, hwc);
        return label(index);
    }

private:
    PictureSize frame_;
    bool random_crop_;
    StoredPictures pictures_;
    std::string description_;
};

}  // namespace

std::unique_ptr<Dataset> serve_from_memory(const DatasetOptions& options, StoredPictures pictures, const std::string& description) {
    return std::make_unique<MemoryDataset>(options, std::move(pictures), description);
}

}  // namespace ddpm::dataset
