#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace ddpm::train {

// Decides after each step whether its checkpoint is written, and bears with one that can't be (a full disk): it is tried
// again after the next step, then once more after a pause of some. A third failure in a row ends the run as a
// runtime_failure that says where a resume goes on.
class CheckpointKeeper {
public:
    explicit CheckpointKeeper(std::filesystem::path run) : run_(std::move(run)) {}

    // Calls `write` when the checkpoint of `step` is `due`, or when an earlier one is to be tried again. `last` says that no
    // step follows: then it tries again at once. Returns whether the step's checkpoint is on the disk.
    bool after_step(int64_t step, bool due, bool last, const std::function<void()>& write);

private:
    bool try_to(const std::function<void()>& write, int64_t step, bool last);

    std::filesystem::path run_;
    int failures_ = 0;       // in a row
    int64_t try_again_ = 0;  // the step of the next try when failures_ > 0
};

}  // namespace ddpm::train
