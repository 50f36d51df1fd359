#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ddpm {

struct Verdict {
    std::filesystem::path path;
    std::optional<std::string> damage;  // nothing: sound
    bool readable = true;               // else `damage` says why nothing is known of it
    bool has_checksums = true;          // else only sizes and headers could be held against each other
};

// Of every checkpoint of a run, or of one checkpoint, diffusers pipeline or tensor file. user_error: nothing of the kind.
std::vector<Verdict> verify(const std::filesystem::path& path);

}  // namespace ddpm
