// Fuzzes records of CIFAR-10's binary version.

#include "dataset/cifar10_records.h"
#include "fuzz/fuzz.h"

using namespace ddpm;
using namespace ddpm::dataset;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<uint8_t> labels, pixels;
    const int64_t count = static_cast<int64_t>(size) / kCifar10RecordBytes;
    if (fuzz::takes([&] { append_cifar10_records(fuzz::view(data, size), "fuzz", count, labels, pixels); })) {
        fuzz::require(static_cast<int64_t>(labels.size()) == count, "a label a record");
        fuzz::require(pixels.size() == labels.size() * (kCifar10RecordBytes - 1), "all pixels of a record");
    }
    return 0;
}
