#include "ddpm/checkpoint/torch_file.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/tensorfile/read_at.h"

namespace ddpm {

TorchFile::TorchFile(const std::filesystem::path& path) : path_(path), descriptor_(open_to_read(path)) {
    const std::string source = path_.string();
    std::error_code error;
    const uint64_t file_size = std::filesystem::file_size(path_, error);
    if (error) user_error(fmt::format("{}: can't read: {}", source, error.message()));
    const ReadBytes read = [&](uint64_t offset, uint64_t count) {
        std::string bytes(count, '\0');
        read_at(descriptor_.get(), offset, bytes.data(), count, source);
        return bytes;
    };
    archive_ = read_torch_archive(read, file_size, source);
}

at::Tensor TorchFile::read(size_t at) const {
    const PickledTensor& entry = archive_.tensors[at];
    const at::TensorOptions options(scalar_type_of(entry.dtype));
    // This reads from the first element to the last, in whatever order they lie. read_torch_pickle has checked that all
    // are there.
    uint64_t span = 1;
    for (size_t i = 0; i < entry.shape.size(); ++i) {
        if (entry.shape[i] == 0) return at::empty(entry.shape, options);
        span += static_cast<uint64_t>(entry.shape[i] - 1) * static_cast<uint64_t>(entry.strides[i]);
    }
    const uint64_t width = safetensors_dtype_size(entry.dtype);
    const at::Tensor numbers = at::empty({static_cast<int64_t>(span)}, options);
    read_at(descriptor_.get(), archive_.begins[at] + entry.offset * width, static_cast<char*>(numbers.mutable_data_ptr()),
            span * width, path_.string());
    return numbers.as_strided(entry.shape, entry.strides).contiguous();
}

bool is_torch_file(const std::filesystem::path& path) {
    const std::string extension = path.extension().string();
    if (extension == ".safetensors") return false;
    const FileKind kind = is_file(path) ? look_at(path).kind : FileKind::unknown;
    if (kind == FileKind::zip || kind == FileKind::pickle) return true;
    if (kind == FileKind::safetensors) return false;
    return extension == ".pt" || extension == ".pth" || extension == ".bin" || extension == ".ckpt" || extension == ".pkl";
}

}  // namespace ddpm
