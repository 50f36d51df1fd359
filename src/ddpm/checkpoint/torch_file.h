#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/core/descriptor.h"
#include "ddpm/tensorfile/torch_archive.h"

namespace ddpm {

// A file that torch.save wrote (.pt, .pth, .bin, .ckpt), before torch 1.6 too. The pickle in it is read by
// ddpm/tensorfile/pickle.h and never run. The constructor opens and checks the file; tensors are read one at a
// time.
class TorchFile {
public:
    // A file that is missing or that read_torch_archive refuses is a user_error.
    explicit TorchFile(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const std::vector<PickledTensor>& tensors() const { return archive_.tensors; }

    // Reads tensors()[at]. The result is on the CPU, contiguous, in the dtype of the file.
    at::Tensor read(size_t at) const;

private:
    std::filesystem::path path_;
    Descriptor descriptor_;
    TorchArchive archive_;
};

// Whether a file's name or first bytes say that it is for TorchFile, which reads what torch.save writes and says of other
// zip archives and pickles what they are.
bool is_torch_file(const std::filesystem::path& path);

}  // namespace ddpm
