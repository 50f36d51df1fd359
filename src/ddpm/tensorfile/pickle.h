#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// A tensor as data.pkl of a torch.save file describes it. Sizes, offset and strides count elements of its dtype.
struct PickledTensor {
    std::string name;     // the keys that lead to it, joined by dots
    std::string dtype;    // one of safetensors_dtypes()
    std::string storage;  // decimal digits; the entry data/<storage> holds the numbers
    uint64_t storage_size = 0;
    uint64_t offset = 0;  // of the first element
    std::vector<int64_t> shape, strides;
};

// Reads the tensors of a pickle, in its order; their names differ. A pickle is a program for a machine that can call
// anything in Python. This function calls nothing and reads only what torch.save writes (protocol 2) for dictionaries,
// lists and tuples of tensors and plain values; it passes over the plain values. Each of these is a user_error that
// begins with `source` and says what is wrong: any other opcode, any global but those that make tensors and
// dictionaries, bytes that are cut off, and tensors that reach beyond their storage, whose size overflows or whose
// elements share memory.
std::vector<PickledTensor> read_torch_pickle(std::string_view bytes, const std::string& source);

}  // namespace ddpm
