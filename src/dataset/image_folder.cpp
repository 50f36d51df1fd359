// A folder of pictures. They are decoded and resized once and kept in memory; if they take too much of it, each is decoded
// whenever it is read.

#include <algorithm>
#include <atomic>
#include <memory>

#include <spdlog/spdlog.h>

#include "dataset/folder_scan.h"
#include "dataset/framing.h"
#include "dataset/kinds.h"
#include "dataset/parallel.h"
#include "ddpm/image/transform.h"

namespace ddpm::dataset {

namespace {

class ImageFolder : public Dataset {
public:
    ImageFolder(const DatasetOptions& options, int threads)
        : Dataset(options),
          options_(options),
          frame_{options.width, options.height},
          decode_(decode_options(options)),
          random_crop_(options.crop == "random") {
        FolderScan scan = scan_folder(options, threads);
        if (!scan.broken.empty()) refuse_if_asked(scan.broken[0].reason);
        pictures_ = std::move(scan.pictures);
        if (fits_memory(bytes_when_kept(options, pictures_), options)) keep_pictures(threads, scan.broken);
        if (pictures_.empty()) no_pictures(options, scan);
        if (!scan.broken.empty())
            spdlog::warn("left out {} of {} pictures, which can't be read; the first: {}", scan.broken.size(),
                         scan.broken.size() + pictures_.size(), one_line(scan.broken[0].reason));
        class_names_ = std::move(scan.class_names);
        warned_ = std::make_unique<std::atomic<bool>[]>(pictures_.size());
    }

    int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
    const std::vector<std::string>& class_names() const override { return class_names_; }
    int64_t label(int64_t index) const override { return pictures_[static_cast<size_t>(index)].label; }
    std::string describe() const override {
        return "image_folder " + one_line(options_.path) + (kept_.empty() ? ", decoded as needed" : ", kept in memory");
    }

protected:
    int64_t fetch(int64_t index, RandomStream& augmentation, uint8_t* hwc) const override {
        if (!kept_.empty()) {
            frame_picture(kept_[static_cast<size_t>(index)], frame_, random_crop_, augmentation, hwc);
            return label(index);
        }
        frame_picture(load(static_cast<size_t>(index)), frame_, random_crop_, augmentation, hwc);
        return label(index);
    }
    bool may_replace(int64_t index, const Error& error) const override {
        refuse_if_asked(error.what());
        if (!warned_[static_cast<size_t>(index)].exchange(true))
            spdlog::warn("a picture that can't be read is replaced by the next one: {}", error.what());
        return true;
    }

private:
    // Reads a picture and resizes it to cover the frame. Keeps all of it for a random crop, else only the middle.
    Image load(size_t index) const {
        Image image = cover(read_image(pictures_[index].path, decode_), frame_);
        if (random_crop_ || PictureSize{image.width, image.height} == frame_) return image;
        const auto width = static_cast<int>(frame_.width), height = static_cast<int>(frame_.height);
        return crop(image, (image.width - width) / 2, (image.height - height) / 2, width, height);
    }

    void keep_pictures(int threads, std::vector<BrokenFile>& broken) {
        std::vector<Image> images(pictures_.size());
        std::vector<std::string> reasons(pictures_.size());
        parallel_for(size(), threads, "reading pictures", [&](int64_t index) {
            const auto i = static_cast<size_t>(index);
            try {
                images[i] = load(i);
            } catch (const Error& error) {
                refuse_if_asked(error.what());
                reasons[i] = error.what();
            }
        });
        std::vector<PictureFile> readable;
        for (size_t i = 0; i < images.size(); ++i) {
            if (images[i].pixels.empty()) {
                broken.push_back({pictures_[i].path.string(), reasons[i]});
            } else {
                readable.push_back(std::move(pictures_[i]));
                kept_.push_back(std::move(images[i]));
            }
        }
        pictures_ = std::move(readable);
    }

    void refuse_if_asked(const std::string& reason) const {
        if (options_.on_broken == "error") user_error(one_line(reason), "dataset.on_broken \"skip\" leaves such pictures out");
    }

    DatasetOptions options_;
    PictureSize frame_;
    DecodeOptions decode_;
    bool random_crop_;
    std::vector<PictureFile> pictures_;
    std::vector<std::string> class_names_;
    std::vector<Image> kept_;                      // covering the frame, one a picture; empty if they take too much
    std::unique_ptr<std::atomic<bool>[]> warned_;  // for each picture: a warning has said that it can't be decoded
};

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const DatasetOptions& options, uint64_t, int threads) {
    return std::make_unique<ImageFolder>(options, threads);
}

}  // namespace ddpm::dataset
