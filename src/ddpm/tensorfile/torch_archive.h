#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/tensorfile/pickle.h"
#include "ddpm/tensorfile/zip.h"

namespace ddpm {

// The contents of a torch.save file: a zip archive of a pickle and the numbers, or before torch 1.6 a chain of pickles and the
// numbers.
struct TorchArchive {
    std::vector<PickledTensor> tensors;
    std::vector<uint64_t> begins;  // bytes: where each tensor's storage begins in the file, which holds all of it
};

// Reads everything but the numbers. A file that is not sound, one of another kind (TorchScript, torch.export, NumPy, a pickle
// of Python, …) and numbers of a big-endian machine are user_errors that begin with `source` and say which it is.
TorchArchive read_torch_archive(const ReadBytes& read, uint64_t file_size, const std::string& source);

}  // namespace ddpm
