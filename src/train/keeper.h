#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace ddpm::train {

// Decides after each step whether its checkpoint is written, and tolerates failures of writing (a full disk): it tries again after
// the next step, then once more after a pause of some steps. The third failure in a row is a runtime_failure that says where a
// resume goes on.
class CheckpointKeeper {
public:
    explicit CheckpointKeeper(std::filesystem::path run) : run_(std::move(run)) {}

    // Calls `write` if the checkpoint of `step` is `due`, or if an earlier one failed and it is time to try again. With `last`, no
    // step follows, so that it tries again at once. Returns whether the checkpoint of this step is on the disk.
    bool after_step(int64_t step, bool due, bool last, const std::function<void()>& write);

private:
    bool try_to(const std::function<void()>& write, int64_t step, bool last);

    std::filesystem::path run_;
    int failures_ = 0;       // in a row
    int64_t try_again_ = 0;  // the step of the next try when failures_ > 0
};

}  // namespace ddpm::train
