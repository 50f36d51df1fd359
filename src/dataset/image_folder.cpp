// A folder of pictures. They are decoded and resized once and kept in memory; if they take too much of it, each is decoded
// whenever it is read.

#include <algorithm>
#include <atomic>
#include <memory>

#include <spdlog/spdlog.h>

#include "dataset/fingerprint.h"
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
        if (fits_memory(bytes_when_kept(options, scan.pictures), options))
            keep_pictures(threads, scan);
        else
            leave_out_broken_folders(threads, scan);
        if (scan.pictures.empty()) no_pictures(options, scan);
        label_pictures(scan, options);
        notes_ = notes_on(scan);
        pictures_ = std::move(scan.pictures);
        class_names_ = std::move(scan.class_names);
        empty_classes_ = std::move(scan.empty_classes);
        warned_ = std::make_unique<std::atomic<bool>[]>(pictures_.size());
    }

    int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
    const std::vector<std::string>& class_names() const override { return class_names_; }
    std::vector<std::string> empty_classes() const override { return empty_classes_; }
    std::string name(int64_t index) const override {
        return one_line(pictures_[static_cast<size_t>(index)].path.lexically_relative(options_.path).string());
    }
    std::string notes() const override { return notes_; }
    int64_t label(int64_t index) const override { return pictures_[static_cast<size_t>(index)].label; }
    std::string describe() const override {
        return "image_folder " + one_line(options_.path) + (kept_.empty() ? ", decoded as needed" : ", kept in memory");
    }
    std::optional<DataFingerprint> fingerprint(int threads) const override {
        std::vector<fs::path> files;
        for (const PictureFile& picture : pictures_) files.push_back(picture.path);
        return fingerprint_of_files(options_.path, files, threads);
    }

protected:
    int64_t fetch(int64_t index, RandomStream& augmentation, uint8_t* hwc) const override {
        if (!kept_.empty()) {
            frame_picture(kept_[static_cast<size_t>(index)], frame_, random_crop_, augmentation, hwc);
            return label(index);
        }
        frame_picture(load(pictures_[static_cast<size_t>(index)].path), frame_, random_crop_, augmentation, hwc);
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
    Image load(const fs::path& path) const {
        Image image = cover(read_image(path, decode_), frame_);
        if (random_crop_ || PictureSize{image.width, image.height} == frame_) return image;
        const auto width = static_cast<int>(frame_.width), height = static_cast<int>(frame_.height);
        return crop(image, (image.width - width) / 2, (image.height - height) / 2, width, height);
    }

    void keep_pictures(int threads, FolderScan& scan) {
        std::vector<Image> images(scan.pictures.size());
        std::vector<std::string> reasons(scan.pictures.size());
        parallel_for(static_cast<int64_t>(images.size()), threads, "reading pictures", [&](int64_t index) {
            const auto i = static_cast<size_t>(index);
            try {
                images[i] = load(scan.pictures[i].path);
            } catch (const Error& error) {
                refuse_if_asked(error.what());
                reasons[i] = error.what();
            }
        });
        leave_out_unreadable(scan, reasons);
        for (Image& image : images)
            if (!image.pixels.empty()) kept_.push_back(std::move(image));
    }

    // Decodes pictures of each folder until one can be read, and leaves out those of a folder without one, as if all were kept. A class
    // of broken pictures alone would have a label and no example, and broken pictures in the root would hide the classes beside them.
    void leave_out_broken_folders(int threads, FolderScan& scan) const {
        const std::vector<std::vector<size_t>> folders = pictures_by_folder(scan, options_);
        std::vector<std::string> reasons(scan.pictures.size());
        parallel_for(static_cast<int64_t>(folders.size()), threads, "trying folders", [&](int64_t index) {
            const std::vector<size_t>& pictures = folders[static_cast<size_t>(index)];
            for (const size_t i : pictures) {
                try {
                    load(scan.pictures[i].path);
                } catch (const Error& error) {
                    refuse_if_asked(error.what());
                    reasons[i] = error.what();
                    continue;
                }
                for (const size_t broken : pictures) reasons[broken].clear();  // they are replaced when they are read
                return;
            }
        });
        leave_out_unreadable(scan, reasons);
    }

    std::string notes_on(const FolderScan& scan) const {
        const std::string taken = plural(static_cast<int64_t>(scan.pictures.size()), "picture");
        std::vector<std::string> notes;
        if (scan.is_made_by_ddpm) notes.push_back(taken + ", all of which this program has made");
        if (!scan.left_out.empty())
            notes.push_back(fmt::format("{} taken, left out {}; the first: {}", taken, count_left_out(scan.left_out),
                                        one_line(scan.left_out.front().reason)));
        return notes.empty() ? "" : fmt::format("{}: {}", one_line(options_.path), join(notes, "; "));
    }

    void refuse_if_asked(const std::string& reason) const {
        if (options_.on_broken == "error")
            user_error(one_line(reason), "dataset.on_broken \"skip\" leaves out what can't be trained on");
    }

    DatasetOptions options_;
    PictureSize frame_;
    DecodeOptions decode_;
    bool random_crop_;
    std::vector<PictureFile> pictures_;
    std::vector<std::string> class_names_, empty_classes_;
    std::string notes_;
    std::vector<Image> kept_;                      // covering the frame, one a picture; empty if they take too much
    std::unique_ptr<std::atomic<bool>[]> warned_;  // for each picture: a warning has said that it can't be decoded
};

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const DatasetOptions& options, uint64_t, int threads) {
    return std::make_unique<ImageFolder>(options, threads);
}

}  // namespace ddpm::dataset
