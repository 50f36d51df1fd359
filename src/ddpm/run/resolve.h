#pragma once

#include <filesystem>

#include "ddpm/core/error.h"
#include "ddpm/run/damage.h"

namespace ddpm {

// Returns the path that open_pipeline has to open for --ckpt. For a run folder or its checkpoints/ this is the newest
// sound checkpoint; damaged ones are passed over with a warning. For a checkpoint, any pipeline of diffusers or a
// .safetensors file it is the path itself. Anything else and a damaged checkpoint are user_errors.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path, NeededFiles needed = NeededFiles::drawing);

// Refuses a path, with a user_error that says what it is, that leads neither to a folder nor to a file of weights: what
// `ddpm info` and `ddpm convert` take, which read other programs' files too.
void expect_model(const std::filesystem::path& path);

// Whether `checkpoint`, which resolve_checkpoint has returned for `path`, has been removed since: the run goes on and
// removes what is no longer among its newest.
bool was_pruned(const std::filesystem::path& path, const std::filesystem::path& checkpoint);

// Returns use(resolve_checkpoint(path, needed)). If the run removes the checkpoint while it is read, `use` is called again
// with the one that has come since, so it must not have lasting effects before it has read everything.
template <class Use>
auto with_checkpoint(const std::filesystem::path& path, NeededFiles needed, const Use& use) {
    for (;;) {
        const std::filesystem::path checkpoint = resolve_checkpoint(path, needed);
        try {
            return use(checkpoint);
        } catch (const Error&) {
            if (!was_pruned(path, checkpoint)) throw;
        }
    }
}

}  // namespace ddpm
