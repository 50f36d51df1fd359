#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// A tensor as data.pkl of a file of torch.save describes it. Counted in elements of its dtype.
struct PickledTensor {
    std::string name;     // the keys that lead to it, joined by dots
    std::string dtype;    // one of safetensors_dtypes()
    std::string storage;  // its numbers are in the entry data/<storage>, decimal digits
    uint64_t storage_size = 0;
    uint64_t offset = 0;  // of the first element
    std::vector<int64_t> shape, strides;
};

// A pickle is a program for a machine that can call anything in Python. This reads only what torch.save writes for
// dictionaries, lists and tuples of tensors and plain values (protocol 2), and calls nothing: any other opcode, any
// other global than those that make tensors and dictionaries, is a user_error that begins with `source` and names it.
// So are bytes that are cut off, and tensors that reach beyond their storage, whose size overflows or whose elements
// share memory. Plain values are passed over. In the order of the pickle; names differ.
std::vector<PickledTensor> read_torch_pickle(std::string_view bytes, const std::string& source);

}  // namespace ddpm
