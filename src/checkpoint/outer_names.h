#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/load.h"

namespace ddpm::checkpoint {

// Programs that wrap a network put names before those of its tensors: torch.compile "_orig_mod.", data parallel training "module.",
// a class that holds the network in an attribute "model." or "unet.", a file of several things "state_dict." or "ema.". They come
// in any order and number.

// The name of a tensor of diffusers' U-Net, taken apart.
struct OuterName {
    std::string prefix;  // "module._orig_mod."; empty as a rule
    std::string name;    // "down_blocks.0.…", without the names that wrappers of single blocks put in
};

// Takes a name apart where the first part of UNet2DModel (conv_in, down_blocks, …) begins in it; nothing: none does.
std::optional<OuterName> take_apart(const std::string& name);

// The prefixes under which a file has a U-Net of diffusers, sorted.
std::vector<std::string> unet_prefixes(const WeightSource& source);

// Prefixes as a message names them: none, "ema", "model".
std::string keys_text(const std::vector<std::string>& prefixes);

// The prefix that --key names: "ema." for "ema" and for "ema.", an empty one for "none".
std::string prefix_of_key(const std::string& key);

// Leaves the tensors of the file's one U-Net, or of the one that `key` names (empty: there is one), and logs what was taken away.
// A file without such a network stays as it is. user_error: there are several, or none under `key`.
void settle_outer_names(WeightSource& source, const std::string& key);

// "PyTorch Lightning" or "lucidrains' trainer", where the names of all tensors in a file say that it is the checkpoint of such a
// program; else empty.
std::string writer_of(const WeightSource& source);

}  // namespace ddpm::checkpoint
