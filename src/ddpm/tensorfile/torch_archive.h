#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/tensorfile/pickle.h"
#include "ddpm/tensorfile/zip.h"

namespace ddpm {

// The contents of a torch.save file, which is a zip archive of a pickle and the numbers.
struct TorchArchive {
    std::vector<PickledTensor> tensors;
    std::vector<uint64_t> begins;  // bytes: where each tensor's storage begins in the file, which holds all of it
};

// Reads everything but the numbers. A file that is not sound, one of another kind (TorchScript, torch.export, NumPy, a pickle
// of Python, …), the format of torch before 1.6 and numbers of a big-endian machine are user_errors that begin with `source`
// and say which it is.
TorchArchive read_torch_archive(const ReadBytes& read, uint64_t file_size, const std::string& source);

// Whether a file begins like one of torch.save before 1.6, with the pickle of a magic number.
bool is_old_torch_file(std::string_view head);

}  // namespace ddpm
