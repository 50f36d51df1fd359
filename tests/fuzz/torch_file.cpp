// Fuzzes a torch.save file: the zip archive and the pickle in it.

#include "ddpm/tensorfile/safetensors_header.h"
#include "ddpm/tensorfile/torch_archive.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view file = fuzz::view(data, size);
    const ReadBytes read = [&](uint64_t offset, uint64_t count) {
        fuzz::require(offset <= size && count <= size - offset, "only what lies in the file is read");
        return std::string(file.substr(offset, count));
    };
    fuzz::takes([&] {
        const TorchArchive archive = read_torch_archive(read, size, "fuzz");
        fuzz::require(archive.begins.size() == archive.tensors.size(), "a place a tensor");
        for (size_t i = 0; i < archive.tensors.size(); ++i) {
            const uint64_t bytes = archive.tensors[i].storage_size * safetensors_dtype_size(archive.tensors[i].dtype);
            fuzz::require(archive.begins[i] <= size && bytes <= size - archive.begins[i], "a storage lies in the file");
        }
    });
    return 0;
}
