#pragma once

#include <cstdint>
#include <string>

#include "cli/eval_flags.h"
#include "cli/swept.h"
#include "ddpm/sampling/options.h"

namespace ddpm::cli {

// What `ddpm eval quality --every-checkpoint` asks for beside EvalFlags.
struct EveryCheckpoint {
    SweptJudging judging{};
    SampleOptions sampling{};  // as the flags say
    int64_t n = 0;             // samples of each checkpoint
    std::string json, plot;    // files to write; "": none
};

// Throws a user_error about flags that contradict it. `has_samples` is whether --samples was given.
void check_every_checkpoint(const EvalFlags& flags, bool has_samples, const std::string& metrics, const std::string& plot);

// Judges samples of every checkpoint of the run flags.ckpt, all from the same noise beside the same real pictures, and prints which is the
// best. It writes nothing into the run. Returns the exit code.
int judge_every_checkpoint(const EvalFlags& flags, const EveryCheckpoint& how);

}  // namespace ddpm::cli
