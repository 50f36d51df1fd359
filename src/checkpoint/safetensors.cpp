#include "ddpm/checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/read_at.h"

namespace ddpm {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace {

constexpr std::pair<const char*, at::ScalarType> kTypes[] = {
    {"U64", at::kUInt64}, {"I64", at::kLong},      {"F64", at::kDouble}, {"F32", at::kFloat},  {"U32", at::kUInt32},
    {"I32", at::kInt},    {"BF16", at::kBFloat16}, {"F16", at::kHalf},   {"U16", at::kUInt16}, {"I16", at::kShort},
    {"I8", at::kChar},    {"U8", at::kByte},       {"BOOL", at::kBool},
};

size_t dtype_rank(const std::string& dtype) {
    const std::vector<std::string>& order = safetensors_dtypes();
    return static_cast<size_t>(std::find(order.begin(), order.end(), dtype) - order.begin());
}

uint32_t checksum(uint32_t crc, const void* bytes, size_t count) {
    if (count == 0) return crc;  // an empty tensor may have a null pointer, at which zlib begins anew
    return static_cast<uint32_t>(crc32_z(crc, static_cast<const Bytef*>(bytes), count));
}

// With room for the checksum.
std::string checked_head(SafetensorsMetadata metadata, const std::vector<SafetensorsEntry>& entries) {
    metadata.emplace(metadata.begin(), kChecksumKey, kNoChecksum);
    return write_safetensors_head(metadata, entries);
}

}  // namespace

at::ScalarType scalar_type_of(const std::string& dtype) {
    for (const auto& [name, type] : kTypes)
        if (dtype == name) return type;
    user_error("safetensors: unknown dtype " + quote(dtype));
}

std::string safetensors_dtype(at::ScalarType type) {
    for (const auto& [name, known] : kTypes)
        if (type == known) return name;
    user_error(fmt::format("safetensors: no dtype for {}", at::toString(type)));
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : path_(path), header_(read_safetensors_header(path)), descriptor_(open_to_read(path)) {
    std::string head(std::min<uint64_t>(header_.buffer_begin, 100), '\0');
    read_at(descriptor_.get(), 0, head.data(), head.size(), path_.string());
    checksum_at_ = checksum_position(head);
}

void SafetensorsFile::verify() const {
    if (!checksum_at_) return;
    const uint64_t size = header_.buffer_begin + (header_.tensors.empty() ? 0 : header_.tensors.back().end);
    const std::string zeros = kNoChecksum;
    std::string stored;
    std::vector<char> piece(std::min<uint64_t>(size, 1 << 20));
    uint32_t crc = 0;
    for (uint64_t position = 0; position < size; position += piece.size()) {
        piece.resize(std::min<uint64_t>(piece.size(), size - position));
        read_at(descriptor_.get(), position, piece.data(), piece.size(), path_.string());
        if (position == 0) {
            stored.assign(piece.data() + *checksum_at_, zeros.size());
            std::copy(zeros.begin(), zeros.end(), piece.data() + *checksum_at_);
        }
        crc = checksum(crc, piece.data(), piece.size());
    }
    if (checksum_digits(crc) != stored)
        user_error(fmt::format("{}: damaged: its checksum is {}, the file says {}", path_.string(), checksum_digits(crc), stored));
}

at::Tensor SafetensorsFile::read(const SafetensorsEntry& entry) const {
    const at::Tensor tensor = at::empty(entry.shape, at::TensorOptions(scalar_type_of(entry.dtype)));
    read_at(descriptor_.get(), header_.buffer_begin + entry.begin, static_cast<char*>(tensor.mutable_data_ptr()),
            entry.end - entry.begin, path_.string());
    return tensor;
}

NamedTensors read_safetensors(const std::filesystem::path& path) {
    const SafetensorsFile file(path);
    file.verify();
    NamedTensors tensors;
    for (const SafetensorsEntry& entry : file.header().tensors) tensors.emplace_back(entry.name, file.read(entry));
    return tensors;
}

void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const SafetensorsMetadata& metadata) {
    struct Item {
        SafetensorsEntry entry;
        at::Tensor tensor;
    };
    std::vector<Item> items;
    for (const auto& [name, tensor] : tensors)
        items.push_back({{name, safetensors_dtype(tensor.scalar_type()), tensor.sizes().vec(), 0, 0}, tensor.detach()});
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
        return std::pair(dtype_rank(a.entry.dtype), a.entry.name) < std::pair(dtype_rank(b.entry.dtype), b.entry.name);
    });
    uint64_t position = 0;
    std::vector<SafetensorsEntry> entries;
    std::vector<std::string> names;
    for (Item& item : items) {
        item.entry.begin = position;
        position += static_cast<uint64_t>(item.tensor.numel()) * safetensors_dtype_size(item.entry.dtype);
        item.entry.end = position;
        entries.push_back(item.entry);
        names.push_back(item.entry.name);
    }
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
        runtime_failure(fmt::format("{}: two tensors are called {}", path.string(), quote(*twice)));
    if (std::binary_search(names.begin(), names.end(), "__metadata__"))
        runtime_failure(path.string() + ": a tensor can't be called __metadata__");

    FileWriter writer(path);
    const std::string head = checked_head(metadata, entries);
    uint32_t crc = checksum(0, head.data(), head.size());
    writer.write(head.data(), head.size());
    for (const Item& item : items) {
        const at::Tensor plain = item.tensor.to(at::kCPU).contiguous();
        const size_t bytes = item.entry.end - item.entry.begin;
        crc = checksum(crc, plain.const_data_ptr(), bytes);
        writer.write(plain.const_data_ptr(), bytes);
    }
    writer.overwrite(checksum_position(head).value(), checksum_digits(crc));
    writer.commit();
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::string& name, at::ScalarType type,
                                     std::vector<int64_t> shape, const SafetensorsMetadata& metadata)
    : file_(path), name_(path.string()), type_(type) {
    const std::string dtype = safetensors_dtype(type);
    missing_ = safetensors_dtype_size(dtype);
    for (const int64_t side : shape) missing_ *= static_cast<uint64_t>(side);
    head_ = checked_head(metadata, {{name, dtype, std::move(shape), 0, missing_}});
    crc_ = checksum(0, head_.data(), head_.size());
    file_.write(head_.data(), head_.size());
}

void SafetensorsWriter::write(const at::Tensor& piece) {
    const at::Tensor plain = piece.detach().to(at::kCPU).contiguous();
    const uint64_t bytes = plain.nbytes();
    if (plain.scalar_type() != type_ || bytes > missing_) runtime_failure(name_ + ": a piece is none of the tensor's");
    crc_ = checksum(crc_, plain.const_data_ptr(), bytes);
    file_.write(plain.const_data_ptr(), bytes);
    missing_ -= bytes;
}

void SafetensorsWriter::commit() {
    if (missing_ != 0) runtime_failure(fmt::format("{}: {} bytes of the tensor are missing", name_, missing_));
    file_.overwrite(checksum_position(head_).value(), checksum_digits(crc_));
    file_.commit();
}

}  // namespace ddpm
