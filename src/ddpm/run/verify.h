#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ddpm {

struct Verdict {
    std::filesystem::path path;
    std::optional<std::string> damage;           // nothing: sound
    bool readable = true;                        // false: `damage` says why it can't be read
    bool has_checksums = true;                   // false: only sizes and headers could be compared
    std::optional<std::string> not_finite = {};  // which tensors of a sound one hold NaN or infinity; nothing: none
};

// Checks every checkpoint and snapshot of a run, or one checkpoint, diffusers pipeline or tensor file: its checksums, that its numbers
// are finite, and that a snapshot's tensors are those of the run's network. Anything else is a user_error.
std::vector<Verdict> verify(const std::filesystem::path& path);

}  // namespace ddpm
