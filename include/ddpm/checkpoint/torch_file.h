#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/tensorfile/torch_archive.h"

namespace ddpm {

// A file that torch.save wrote (.pt, .pth, .bin, .ckpt): a zip archive of a pickle and the numbers. The pickle is read
// by read_torch_pickle and never run. Opened and checked at once; tensors are read one at a time.
class TorchFile {
public:
    // user_error: a file that is missing, and what read_torch_archive refuses.
    explicit TorchFile(const std::filesystem::path& path);
    ~TorchFile();
    TorchFile(const TorchFile&) = delete;
    TorchFile& operator=(const TorchFile&) = delete;

    const std::filesystem::path& path() const { return path_; }
    const std::vector<PickledTensor>& tensors() const { return archive_.tensors; }

    // `at`: a place in tensors(). On the CPU, contiguous, in the dtype of the file.
    at::Tensor read(size_t at) const;

private:
    std::filesystem::path path_;
    int descriptor_ = -1;
    TorchArchive archive_;
};

// Whether a file's name or beginning says that torch.save wrote it, now or before 1.6.
bool is_torch_file(const std::filesystem::path& path);

}  // namespace ddpm
