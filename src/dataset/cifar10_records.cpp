#include "dataset/cifar10_records.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"

namespace ddpm::dataset {

void append_cifar10_records(std::string_view bytes, const std::string& source, int64_t count, std::vector<uint8_t>& labels,
                            std::vector<uint8_t>& pixels) {
    if (!bytes.empty() && static_cast<uint8_t>(bytes.front()) > 9)  // no label
        expect_kind(bytes, {FileKind::text}, source, "records of CIFAR-10's binary version");
    if (bytes.size() != static_cast<size_t>(count * kCifar10RecordBytes))
        user_error(fmt::format("{}: {} bytes, expected {} ({} records of CIFAR-10's binary version)", source, bytes.size(),
                               count * kCifar10RecordBytes, count),
                   "the file is cut off or of another version; take it from cifar-10-binary.tar.gz again");
    constexpr size_t plane = kCifar10Side * kCifar10Side;
    for (int64_t record = 0; record < count; ++record) {
        const char* at = bytes.data() + record * kCifar10RecordBytes;
        const auto label = static_cast<uint8_t>(*at++);
        if (label > 9) user_error(fmt::format("{}: label {} in record {}, expected 0 … 9", source, label, record));
        labels.push_back(label);
        for (size_t i = 0; i < plane; ++i)
            for (size_t c = 0; c < 3; ++c) pixels.push_back(static_cast<uint8_t>(at[c * plane + i]));
    }
}

}  // namespace ddpm::dataset
