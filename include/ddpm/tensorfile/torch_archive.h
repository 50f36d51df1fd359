#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/tensorfile/pickle.h"
#include "ddpm/tensorfile/zip.h"

namespace ddpm {

// What a file of torch.save says about itself: a zip archive of a pickle and the numbers.
struct TorchArchive {
    std::vector<PickledTensor> tensors;
    std::vector<uint64_t> begins;  // of each tensor's storage in the file; all of its storage_size elements are there
};

// Reads everything but the numbers. user_error that begins with `source`: a file that is not sound, the format of torch
// before 1.6, a TorchScript archive, numbers of a big-endian machine.
TorchArchive read_torch_archive(const ReadBytes& read, uint64_t file_size, const std::string& source);

// Whether a file that begins like this was written by torch.save before 1.6: a pickle of a magic number.
bool is_old_torch_file(std::string_view head);

}  // namespace ddpm
