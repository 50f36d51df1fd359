#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "ddpm/checkpoint/safetensors.h"

namespace ddpm::eval {

// The tensors of a safetensors file, which a network takes one by one. It knows what nobody took.
class VitWeights {
public:
    // Opens a file. `expected` says in messages what it should be. A file that is not safetensors is a user error, and so is the
    // index of a network that lies in several.
    VitWeights(const std::filesystem::path& file, std::string expected);

    std::string source() const { return file_.path().string(); }
    // Takes `prefix` away from the names that begin with it.
    void strip(const std::string& prefix);
    bool has(const std::string& name) const { return entries_.count(name) > 0; }
    // Returns how many blocks there are: one more than the largest number after `prefix`, as in "encoder.layer.11.norm1.weight".
    int64_t blocks(const std::string& prefix) const;
    // Returns a tensor in float32 on `device`. `shape`: the expected sizes; −1 stands for any. A user error names file and tensor if
    // it is missing, has another shape, is not of floating numbers, or holds one that is not finite.
    at::Tensor take(const std::string& name, const std::vector<int64_t>& shape, c10::Device device);
    // Leaves out the tensors whose names begin with one of these, and returns how many those are.
    int64_t leave_out(const std::vector<std::string>& beginnings);
    // Throws a user error that names the first tensor which nobody took or left out.
    void expect_all_taken() const;
    // Throws a user error about the file: what is wrong, what was expected.
    [[noreturn]] void refuse(const std::string& why) const;

private:
    SafetensorsFile file_;
    std::string expected_;
    std::map<std::string, const SafetensorsEntry*> entries_;  // of file_
    std::set<std::string> taken_;
};

}  // namespace ddpm::eval
