// Fuzzes the pickle in a torch.save file, which is read and never run.

#include "ddpm/tensorfile/pickle.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::takes([&] {
        for (const PickledTensor& tensor : read_torch_pickle(fuzz::view(data, size), "fuzz")) {
            fuzz::require(tensor.shape.size() == tensor.strides.size(), "a stride a dimension");
            uint64_t last = tensor.offset;
            bool empty = false;
            for (size_t i = 0; i < tensor.shape.size(); ++i) {
                fuzz::require(tensor.shape[i] >= 0 && tensor.strides[i] >= 0, "lengths and strides are not negative");
                empty = empty || tensor.shape[i] == 0;
                if (!empty) last += static_cast<uint64_t>(tensor.shape[i] - 1) * static_cast<uint64_t>(tensor.strides[i]);
            }
            fuzz::require(empty || last < tensor.storage_size, "a tensor lies in its storage");
        }
    });
    return 0;
}
