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

// Numbers that tensors lie in.
struct PickledStorage {
    std::string key, dtype;  // as PickledTensor has them
    uint64_t size = 0;       // elements
};

// The pickles of a file that torch.save wrote before torch 1.6. The numbers follow them.
struct OldTorchPickles {
    std::vector<PickledTensor> tensors;    // all of their storages are listed
    std::vector<PickledStorage> storages;  // in the order of the file
    uint64_t bytes = 0;                    // of these pickles
};

// Reads what follows the magic number and the version in such a file: a pickle about the machine, that of the tensors and that of
// the list of storages. `bytes` may go on beyond them. The rules and errors are those of read_torch_pickle; numbers of a big-endian
// machine and storages that are views of others are user_errors too.
OldTorchPickles read_old_torch_pickles(std::string_view bytes, const std::string& source);

}  // namespace ddpm
