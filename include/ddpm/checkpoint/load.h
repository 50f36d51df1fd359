#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/safetensors.h"

namespace torch::nn {
class Module;
}

namespace ddpm {

class TorchFile;

// Named tensors on disk, in one .safetensors or torch.save file or in the shards that a .index.json lists, which are all of one
// kind. The constructor reads and checks the headers alone.
class WeightSource {
public:
    struct Item {
        size_t file = 0;         // which shard
        size_t tensor = 0;       // in a torch.save file, which of its tensors
        SafetensorsEntry entry;  // in a torch.save file begin and end count from the tensor's own beginning
    };

    // A file that is missing or not sound is a user_error, and so is a tensor in two shards or in another shard than
    // the index says.
    explicit WeightSource(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    // The metadata of a single .safetensors file; empty for the others.
    SafetensorsMetadata metadata() const;
    // The tensors by name. Attention tensors have diffusers' present names (to_q for query, to_k, to_v, to_out.0 for
    // proj_attn).
    const std::map<std::string, Item>& items() const { return items_; }

    // Leaves the tensors for which `name`, given their names in the file, has one, and calls them by it. `prefix`: what the names
    // begin with in the file, for messages. Returns the names in the file of the others. Two tensors of one name are a user_error.
    std::vector<std::string> keep(const std::string& prefix,
                                  const std::function<std::optional<std::string>(const std::string&)>& name);
    // What the names begin with in the file and do not here; empty as a rule.
    const std::string& prefix() const { return prefix_; }

    at::Tensor read(const Item& item) const;

    // Throws a user_error if a file carries a checksum and does not match it. Returns whether all files carry one, so that
    // all of them have been read.
    bool verify() const;

private:
    void open(const std::filesystem::path& file);
    void add(const std::string& name, const Item& item, const std::filesystem::path& path);

    std::filesystem::path path_;
    std::string prefix_;
    std::vector<SafetensorsFile> files_;
    std::vector<std::shared_ptr<const TorchFile>> torch_files_;  // instead of files_
    std::map<std::string, Item> items_;
};

// Returns the parameters, then the buffers. They share storage with the module.
NamedTensors named_tensors(const torch::nn::Module& module);

// Copies every tensor of `source` into the target of its name, converting between floating dtypes. The names must be
// the same and the shapes equal; integers are copied only to the same dtype; the files must match their checksums.
// Otherwise nothing is copied, and one user_error lists what is missing, left over, different or damaged. Nothing is copied
// either if a tensor can't be read (a runtime_failure or an Unreadable).
void load_tensors(const WeightSource& source, const NamedTensors& targets);
void load_module(const WeightSource& source, torch::nn::Module& module);

}  // namespace ddpm
