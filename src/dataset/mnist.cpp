// MNIST, and data sets in its file format such as Fashion-MNIST or EMNIST: a file of pictures and one of labels.

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "dataset/gzip.h"
#include "dataset/idx.h"
#include "dataset/kinds.h"
#include "dataset/memory_dataset.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"

namespace ddpm::dataset {

namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;

struct NamedBytes {
    std::string source, bytes;
};

// Reads `name` or `name`.gz, in `folder` or where torchvision puts it.
NamedBytes read_idx_file(const fs::path& folder, const std::string& name) {
    for (const fs::path& place : {folder, folder / "MNIST" / "raw"})
        for (const char* ending : {"", ".gz"}) {
            const fs::path file = place / (name + ending);
            if (!is_present(file)) continue;
            if (!is_file(file)) refuse_kind(file.string(), look_at(file), "a file of IDX");
            std::string bytes = read_file(file, kMaxBytes);
            if (is_gzip(bytes)) {
                // A few bytes can unpack to gigabytes, so no more are unpacked than the header says.
                const uint64_t size = idx_file_size(gunzip_head(bytes, file.string(), 16));
                if (size == 0) user_error(file.string() + ": not an IDX file of bytes (it does not begin with 0, 0, 8)");
                bytes = gunzip(bytes, file.string(), std::min<uint64_t>(size, kMaxBytes));
            }
            return {file.string(), std::move(bytes)};
        }
    user_error(
        fmt::format("{}: no such file, nor with .gz; dataset.path is the folder with MNIST's IDX files", (folder / name).string()),
        "its four files are called train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and the same with t10k; "
        "https://yann.lecun.com/exdb/mnist and the mirrors of torchvision and Fashion-MNIST have them");
}

}  // namespace

std::unique_ptr<Dataset> open_mnist(const DatasetOptions& options, uint64_t, int) {
    const std::string prefix = options.split == "train" ? "train" : "t10k";
    const NamedBytes image_file = read_idx_file(options.path, prefix + "-images-idx3-ubyte");
    const IdxArray images = parse_idx(image_file.bytes, image_file.source, 3);
    const NamedBytes label_file = read_idx_file(options.path, prefix + "-labels-idx1-ubyte");
    const IdxArray labels = parse_idx(label_file.bytes, label_file.source, 1);
    if (labels.shape[0] != images.shape[0])
        user_error(fmt::format("{}: {} for the {} of {}", label_file.source, plural(labels.shape[0], "label"),
                               plural(images.shape[0], "picture"), image_file.source));

    StoredPictures pictures{images.shape[1],
                            images.shape[2],
                            1,
                            {images.data.begin(), images.data.end()},
                            {labels.data.begin(), labels.data.end()},
                            {}};
    if (pictures.height > 8192 || pictures.width > 8192)
        user_error(
            fmt::format("{}: pictures of {}x{}, expected at most 8192x8192", image_file.source, pictures.width, pictures.height));
    const int classes = std::max(10, *std::max_element(pictures.labels.begin(), pictures.labels.end()) + 1);
    for (int label = 0; label < classes; ++label) pictures.class_names.push_back(std::to_string(label));
    return serve_from_memory(options, std::move(pictures), "mnist, " + options.split);
}

}  // namespace ddpm::dataset
