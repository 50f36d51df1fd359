// CIFAR-10, binary version (https://www.cs.toronto.edu/~kriz/cifar.html): five training files and one for testing.

#include <spdlog/fmt/fmt.h>

#include "dataset/cifar10_records.h"
#include "dataset/kinds.h"
#include "dataset/memory_dataset.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"

namespace ddpm::dataset {

namespace {

constexpr int64_t kRecords = 10000;
constexpr const char* kFolder = "cifar-10-batches-bin";

std::vector<std::string> read_class_names(const fs::path& folder) {
    const std::vector<std::string> known{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
    const fs::path file = folder / "batches.meta.txt";
    if (!is_file(file)) return known;
    std::vector<std::string> names;
    for (const std::string& line : split(read_file(file, 1 << 16), '\n'))
        if (const std::string name = line.substr(0, line.find('\r')); !name.empty()) names.push_back(one_line(name));
    if (names.size() != known.size())
        user_error(fmt::format("{}: {} class names, expected 10, one a line", file.string(), names.size()));
    return names;
}

}  // namespace

std::unique_ptr<Dataset> open_cifar10(const DatasetOptions& options, uint64_t, int) {
    const fs::path given(options.path), inner = given / kFolder;
    const fs::path folder = is_folder(inner) ? inner : given;
    std::vector<std::string> files{"test_batch.bin"};
    if (options.split == "train")
        files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};

    StoredPictures pictures{kCifar10Side, kCifar10Side, 3, {}, {}, read_class_names(folder)};
    pictures.pixels.reserve(files.size() * kRecords * (kCifar10RecordBytes - 1));
    for (const std::string& name : files) {
        const fs::path file = folder / name;
        if (!is_present(file))
            user_error(fmt::format("{}: no such file; dataset.path is the folder with {} (or the one above {})", file.string(),
                                   files.size() > 1 ? "data_batch_1.bin … data_batch_5.bin" : name, kFolder),
                       "get \"CIFAR-10 binary version\" (cifar-10-binary.tar.gz) from "
                       "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it there");
        if (!is_file(file)) refuse_kind(file.string(), look_at(file), "a file of CIFAR-10's binary version");
        // The limit lies above the expected size, which append_cifar10_records checks exactly.
        append_cifar10_records(read_file(file, kRecords * kCifar10RecordBytes + 1), file.string(), kRecords, pictures.labels,
                               pictures.pixels);
    }
    return serve_from_memory(options, std::move(pictures), "cifar10, " + options.split);
}

}  // namespace ddpm::dataset
