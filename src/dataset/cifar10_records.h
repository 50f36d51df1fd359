#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm::dataset {

// A file of CIFAR-10's binary version: records of a label byte (0 … 9) and 32×32 red, green and blue bytes, plane after
// plane, rows top to bottom.
constexpr int64_t kCifar10Side = 32;
constexpr int64_t kCifar10RecordBytes = 1 + 3 * kCifar10Side * kCifar10Side;

// Appends the records' labels and their pixels, interleaved. Bytes that are not `count` whole records with labels 0 … 9
// are a user_error that begins with `source`.
void append_cifar10_records(std::string_view bytes, const std::string& source, int64_t count, std::vector<uint8_t>& labels,
                            std::vector<uint8_t>& pixels);

}  // namespace ddpm::dataset
