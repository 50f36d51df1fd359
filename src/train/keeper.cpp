#include "train/keeper.h"

#include <chrono>
#include <thread>

#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/run_folder.h"
#include "ddpm/core/error.h"

namespace ddpm {

namespace {

constexpr int kTries = 3;
constexpr int64_t kPause = 20;  // steps before the last try
constexpr auto kPauseAtTheEnd = std::chrono::seconds(1);

}  // namespace

bool CheckpointKeeper::after_step(const TrainState& state, bool due, bool last) {
    const bool wanted = failures_ == 0 ? due : last || state.step >= try_again_;
    if (!wanted) return false;
    while (!save(state, last)) {
        if (!last) return false;
        std::this_thread::sleep_for(kPauseAtTheEnd);
    }
    return true;
}

bool CheckpointKeeper::save(const TrainState& state, bool last) {
    try {
        metrics_.sync();  // a checkpoint never knows of a step that its metrics have lost
        state.save(job_);
    } catch (const Error& error) {
        if (++failures_ == kTries) {
            const auto newest = newest_checkpoint(job_.folder);
            runtime_failure(fmt::format("{}; {} tries to write a checkpoint failed, so training stops at step {}", error.what(),
                                        kTries, state.step),
                            newest ? fmt::format("free some space or repair the disk; --resume goes on from {}",
                                                 newest->path.filename().string())
                                   : "free some space or repair the disk");
        }
        try_again_ = state.step + (failures_ == 1 ? 1 : kPause);
        spdlog::warn("{}; the next try follows {}", error.what(),
                     last ? std::string("at once") : fmt::format("after step {}", try_again_));
        return false;
    }
    if (failures_ > 0) spdlog::info("step {}: checkpoint written", state.step);
    failures_ = 0;
    prune();
    return true;
}

void CheckpointKeeper::prune() const {
    try {
        prune_checkpoints(job_.folder, job_.train.keep_last, job_.train.keep_every);
    } catch (const Error& error) {
        spdlog::warn("{}", error.what());  // the disk has one checkpoint too many, and the run goes on
    }
}

}  // namespace ddpm
