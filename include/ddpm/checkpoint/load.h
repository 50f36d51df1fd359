#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/checkpoint/safetensors.h"

namespace torch::nn {
class Module;
}

namespace ddpm {

class TorchFile;

// Named tensors on disk: one .safetensors file, the shards that a .safetensors.index.json lists, or a file of
// torch.save. Opening reads and checks the headers alone.
class WeightSource {
public:
    struct Item {
        size_t file = 0;         // of the shards; the place of the tensor in a file of torch.save
        SafetensorsEntry entry;  // begin and end are counted from the tensor's own beginning in a file of torch.save
    };

    // user_error: what is missing or not sound; a tensor in two shards, or in another shard than the index says.
    explicit WeightSource(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    // What a single .safetensors file says about itself; nothing for the others.
    SafetensorsMetadata metadata() const;
    // By name; attention tensors under their present names (to_q for query, to_k, to_v, to_out.0 for proj_attn).
    const std::map<std::string, Item>& items() const { return items_; }

    at::Tensor read(const Item& item) const;

    // user_error when a file that carries a checksum is not what it says.
    void verify() const;

private:
    void add(const std::filesystem::path& file);
    void add(size_t file, const SafetensorsEntry& entry, const std::filesystem::path& path);

    std::filesystem::path path_;
    std::vector<SafetensorsFile> files_;
    std::shared_ptr<const TorchFile> torch_file_;  // instead of files_
    std::map<std::string, Item> items_;
};

// Parameters, then buffers; they share storage with the module.
NamedTensors named_tensors(const torch::nn::Module& module);

// Copies every tensor of `source` into the target of its name, converting between floating dtypes. The names must be
// the same ones and the shapes equal; integers are copied only to the same dtype; the files must be what their checksums
// say. Otherwise nothing is copied and one user_error tells what is missing, left over, different or damaged.
void load_tensors(const WeightSource& source, const NamedTensors& targets);
void load_module(const WeightSource& source, torch::nn::Module& module);

}  // namespace ddpm
