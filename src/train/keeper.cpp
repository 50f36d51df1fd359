#include "train/keeper.h"

#include <chrono>
#include <thread>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::train {

namespace {

constexpr int kTries = 3;
constexpr int64_t kPause = 20;  // steps before the last try
constexpr auto kPauseAtTheEnd = std::chrono::seconds(1);

}  // namespace

bool CheckpointKeeper::after_step(int64_t step, bool due, bool last, const std::function<void()>& write) {
    const bool wanted = failures_ == 0 ? due : last || step >= try_again_;
    if (!wanted) return false;
    while (!try_to(write, step, last)) {
        if (!last) return false;
        std::this_thread::sleep_for(kPauseAtTheEnd);
    }
    return true;
}

bool CheckpointKeeper::try_to(const std::function<void()>& write, int64_t step, bool last) {
    try {
        write();
    } catch (const Error& error) {
        if (++failures_ == kTries) {
            const auto newest = newest_checkpoint(run_);
            std::string hint = error.hint().empty() ? "free some space or repair the disk" : error.hint();
            if (newest) hint += fmt::format("; --resume goes on from {}", newest->path.filename().string());
            runtime_failure(
                fmt::format("{}; {} tries to write a checkpoint failed, so training stops at step {}", error.what(), kTries, step),
                hint);
        }
        try_again_ = step + (failures_ == 1 ? 1 : kPause);
        spdlog::warn("{}; the next try follows {}", error.what(),
                     last ? std::string("at once") : fmt::format("after step {}", try_again_));
        return false;
    }
    if (failures_ > 0) spdlog::info("step {}: checkpoint written", step);
    failures_ = 0;
    return true;
}

}  // namespace ddpm::train
