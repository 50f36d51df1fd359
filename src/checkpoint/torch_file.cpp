#include "ddpm/checkpoint/torch_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include <fcntl.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "checkpoint/read_at.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/checkpoint/zip.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

constexpr uint64_t kMaxPickleBytes = 16 << 20;
constexpr std::string_view kPickleName = "/data.pkl";

std::string head_of(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return {};
    char head[4];
    const ssize_t count = ::pread(descriptor, head, sizeof head, 0);
    ::close(descriptor);
    return std::string(head, static_cast<size_t>(std::max<ssize_t>(count, 0)));
}

// A pickle of a magic number, with which torch.save began before 1.6.
bool is_old_format(const std::string& head) {
    return head == "\x80\x02\x8a\x0a";
}

// "model" for model/data.pkl, model/data/0, …
std::string archive_name(const std::map<std::string, ZipEntry>& entries, const std::string& source) {
    std::string name;
    for (const auto& [path, entry] : entries) {
        if (path.size() <= kPickleName.size() || path.find('/') != path.size() - kPickleName.size() ||
            path.substr(path.size() - kPickleName.size()) != kPickleName)
            continue;
        if (!name.empty()) user_error(source + ": holds two files of torch.save in one archive");
        name = path.substr(0, path.size() - kPickleName.size());
    }
    if (name.empty()) user_error(source + ": a zip archive, but none of torch.save: it holds no data.pkl");
    if (entries.contains(name + "/constants.pkl"))
        user_error(source + ": a TorchScript program, expected weights",
                   "in Python: torch.save(torch.jit.load(FILE).state_dict(), NEW)");
    return name;
}

}  // namespace

TorchFile::TorchFile(const std::filesystem::path& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    const std::string source = path_.string();
    if (descriptor_ < 0) user_error(fmt::format("{}: can't open: {}", source, std::strerror(errno)));
    try {
        std::error_code error;
        const uint64_t file_size = std::filesystem::file_size(path_, error);
        if (error) user_error(fmt::format("{}: can't read: {}", source, error.message()));
        const std::string head = head_of(path_);
        if (is_old_format(head))
            user_error(source + ": written in the format of torch before 1.6, a chain of pickles, which is not read",
                       "any newer torch writes the present one: torch.save(torch.load(FILE, weights_only=True), NEW)");
        if (!is_zip(head)) user_error(source + ": not a file of torch.save: it is no zip archive");
        const ReadBytes read = [&](uint64_t offset, uint64_t count) {
            std::string bytes(count, '\0');
            read_at(descriptor_, offset, bytes.data(), count, source);
            return bytes;
        };
        std::map<std::string, ZipEntry> entries;
        for (ZipEntry& entry : read_zip_directory(read, file_size, source)) entries[entry.name] = entry;
        const std::string name = archive_name(entries, source);
        if (const auto order = entries.find(name + "/byteorder"); order != entries.end())
            if (order->second.size != 6 || read(order->second.begin, 6) != "little")
                user_error(source + ": holds the numbers of a big-endian machine, expected little-endian ones");
        const ZipEntry& pickle = entries[name + std::string(kPickleName)];
        if (pickle.size > kMaxPickleBytes)
            user_error(fmt::format("{}: a pickle of {} bytes, more than the {} allowed", source, pickle.size,
                                   kMaxPickleBytes));
        tensors_ = read_torch_pickle(read(pickle.begin, pickle.size), source);
        for (const PickledTensor& tensor : tensors_) {
            const auto data = entries.find(name + "/data/" + tensor.storage);
            const uint64_t bytes = tensor.storage_size * safetensors_dtype_size(tensor.dtype);
            if (data == entries.end() ? bytes > 0 : data->second.size != bytes)
                user_error(fmt::format("{}: {} needs {} bytes in data/{}, there are {}", source, quote(tensor.name),
                                       bytes, tensor.storage, data == entries.end() ? 0 : data->second.size));
            begins_.push_back(data == entries.end() ? 0 : data->second.begin);
        }
    } catch (...) {
        ::close(descriptor_);
        throw;
    }
}

TorchFile::~TorchFile() {
    ::close(descriptor_);
}

at::Tensor TorchFile::read(size_t at) const {
    const PickledTensor& entry = tensors_[at];
    const at::TensorOptions options(scalar_type_of(entry.dtype));
    // From the first element to the last, in whatever order they lie; read_torch_pickle has seen that all are there.
    uint64_t span = 1;
    for (size_t i = 0; i < entry.shape.size(); ++i) {
        if (entry.shape[i] == 0) return at::empty(entry.shape, options);
        span += static_cast<uint64_t>(entry.shape[i] - 1) * static_cast<uint64_t>(entry.strides[i]);
    }
    const uint64_t width = safetensors_dtype_size(entry.dtype);
    const at::Tensor numbers = at::empty({static_cast<int64_t>(span)}, options);
    read_at(descriptor_, begins_[at] + entry.offset * width, static_cast<char*>(numbers.mutable_data_ptr()),
            span * width, path_.string());
    return numbers.as_strided(entry.shape, entry.strides).contiguous();
}

bool is_torch_file(const std::filesystem::path& path) {
    const std::string extension = path.extension().string(), head = head_of(path);
    if (extension == ".safetensors") return false;
    return extension == ".pt" || extension == ".pth" || extension == ".bin" || extension == ".ckpt" || is_zip(head) ||
           is_old_format(head);
}

}  // namespace ddpm
