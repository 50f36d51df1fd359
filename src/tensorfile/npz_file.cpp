#include "ddpm/tensorfile/npz_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include <sys/stat.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/read_at.h"
#include "tensorfile/npy_head.h"
#include "tensorfile/zip_stream.h"

namespace ddpm {

using tensorfile::ZipStream;

namespace {

constexpr std::string_view kEnding = ".npy";

// Whether the numbers of `array` take exactly `bytes`.
bool fills(const NpzArray& array, uint64_t bytes) {
    uint64_t left = bytes / array.item;
    if (left * array.item != bytes) return false;
    if (std::count(array.shape.begin(), array.shape.end(), 0) > 0) return bytes == 0;
    for (const int64_t side : array.shape) {
        if (left % static_cast<uint64_t>(side) != 0) return false;
        left /= static_cast<uint64_t>(side);
    }
    return left == 1;
}

ReadBytes reader_of(const fs::path& path) {
    const auto file = std::make_shared<Descriptor>(open_to_read(path));
    return [file, source = path.string()](uint64_t offset, uint64_t count) {
        std::string bytes(count, '\0');
        read_at(file->get(), offset, bytes.data(), count, source);
        return bytes;
    };
}

uint64_t size_of(const fs::path& path) {
    expect_kind(path, {FileKind::zip}, "an archive of NumPy (.npz)");
    return fs::file_size(path);
}

}  // namespace

int64_t NpzArray::count() const {
    int64_t product = 1;
    for (const int64_t side : shape) product *= side;
    return product;
}

std::string NpzArray::words() const {
    static const std::map<std::string, const char*> kinds = {{"<f8", "float64"}, {"<f4", "float32"}, {"<f2", "float16"},
                                                             {"<i8", "int64"},   {"<i4", "int32"},   {"|u1", "uint8"},
                                                             {"<u8", "uint64"}};
    const auto kind = kinds.find(descr);
    return fmt::format("{} {}", kind != kinds.end() ? kind->second : quote(descr),
                       shape.empty() ? "number" : fmt::format("{}", fmt::join(shape, "x")));
}

NpzFile::NpzFile(const fs::path& path) : source_(path.string()) {
    const uint64_t size = size_of(path);
    read_ = reader_of(path);
    read_heads(size);
}

NpzFile::NpzFile(ReadBytes read, uint64_t file_size, std::string source) : read_(std::move(read)), source_(std::move(source)) {
    read_heads(file_size);
}

NpzFile::~NpzFile() = default;
NpzFile::NpzFile(NpzFile&&) noexcept = default;
NpzFile& NpzFile::operator=(NpzFile&&) noexcept = default;

void NpzFile::read_heads(uint64_t file_size) {
    for (ZipEntry& entry : read_zip_directory(read_, file_size, source_, true)) {
        if (!entry.name.ends_with(kEnding)) continue;
        const std::string where = source_ + ": " + quote(entry.name);
        ZipStream stream(read_, entry, source_);
        std::string head = stream.next(std::min(tensorfile::kNpyPrefix, entry.content_size));
        const uint64_t size = tensorfile::npy_head_size(head, where);
        if (size > entry.content_size) user_error(where + ": not an array of NumPy: it is cut off");
        head += stream.next(size - head.size());
        NpzArray array = tensorfile::parse_npy_head(head, where);
        if (array.item > 0 && !fills(array, entry.content_size - size))
            user_error(
                fmt::format("{}: has {} bytes, which is not what {} takes", where, entry.content_size - size, array.words()));
        array.name = entry.name.substr(0, entry.name.size() - kEnding.size());
        arrays_.push_back(std::move(array));
        entries_.push_back(std::move(entry));
        heads_.push_back(size);
    }
    if (arrays_.empty()) user_error(source_ + ": a zip archive that holds no array of NumPy (.npy)");
}

const NpzArray* NpzFile::find(const std::string& name) const {
    const auto found = std::find_if(arrays_.begin(), arrays_.end(), [&](const NpzArray& array) { return array.name == name; });
    return found == arrays_.end() ? nullptr : &*found;
}

std::string NpzFile::read(const NpzArray& array, uint64_t offset, uint64_t count) {
    const auto index = static_cast<size_t>(&array - arrays_.data());
    const uint64_t position = heads_.at(index) + offset;
    if (!stream_ || open_ != index || stream_->position() > position) {
        stream_ = std::make_unique<ZipStream>(read_, entries_[index], source_);
        open_ = index;
        stream_->next(heads_[index]);
    }
    stream_->skip_to(position);
    return stream_->next(count);
}

}  // namespace ddpm
