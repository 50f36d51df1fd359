#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/safetensors.h"

namespace ddpm {

// A run with train.ema_widths keeps its averages at some steps in ema/, one file for each step and width:
// ema/step-001000-width-0.05.safetensors. It holds float32 tensors under diffusers' names, and in its metadata a checksum, the
// version of this format, and step, updates, width and gamma. A file is there whole or not at all. Averages of other widths and
// steps are rebuilt from them (rebuild.h).

struct Snapshot {
    int64_t step = 0;
    double width = 0;
    std::filesystem::path path;
};

// What a snapshot's metadata says.
struct SnapshotInfo {
    int64_t step = 0;     // of the run
    int64_t updates = 0;  // steps that the optimizer took, ≥ 1; skipped steps are not counted
    double width = 0, gamma = 0;
};

// The most steps whose snapshots a run keeps.
inline constexpr int64_t kMostSnapshots = 16;

// Whether a run of `steps` steps writes snapshots after `step`, and whether it still has those of `step` after writing those of
// `newest`. Both follow from these numbers alone: after step n the run has the multiples of d up to n, and n itself. d is a power
// of two, the least with n ≤ 16·d and steps ≤ 128·d, so that d doubles as the run grows and a run writes about forty snapshots in
// all. A run of eight or more steps ends with 8 to 16 of them, evenly spread.
bool snapshot_due(int64_t step, int64_t steps);
bool snapshot_stays(int64_t step, int64_t newest, int64_t steps);

// "step-001000-width-0.05.safetensors"
std::string snapshot_name(int64_t step, double width);
// Returns the step and width of such a name, and nothing for another name. The path is the name.
std::optional<Snapshot> snapshot_named(const std::string& name);

// Writes run/ema/NAME, replacing an older file, with the tensors of one average.
void write_snapshot(const std::filesystem::path& run, const SnapshotInfo& info, const NamedTensors& average);

// Returns the snapshots of a run, ascending by step, then width; none if it has no ema/.
std::vector<Snapshot> list_snapshots(const std::filesystem::path& run);

// Reads a snapshot's metadata. A file that is not sound, as far as its head shows, and one that is not what its name says are
// user_errors that begin with the path.
SnapshotInfo read_snapshot_info(const Snapshot& snapshot);

// Reads all of a snapshot and returns why it can't be used, or nothing if it matches its checksum.
std::optional<std::string> damage_of_snapshot(const Snapshot& snapshot);

// Names and shapes of tensors.
using TensorShapes = std::map<std::string, std::vector<int64_t>>;

// Returns those of a run's network, by the newest of its checkpoints whose weights can be opened; nothing if there is none.
std::optional<TensorShapes> shapes_of_run(const std::filesystem::path& run);

// Returns how a snapshot shows that it is of another network, "holds … of another network: …"; nothing if it does not, and for a
// file that can't be opened, which damage_of_snapshot tells of.
std::optional<std::string> misfit_of_snapshot(const Snapshot& snapshot, const TensorShapes& expected);

// Removes what snapshot_stays does not keep, and snapshots of later steps than `step`.
void thin_snapshots(const std::filesystem::path& run, int64_t steps);
void remove_snapshots_after(const std::filesystem::path& run, int64_t step);

}  // namespace ddpm
