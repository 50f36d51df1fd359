#pragma once

#include <string>

#include "ddpm/core/runtime.h"
#include "ddpm/kernels/kernels.h"

namespace CLI {
class App;
}

namespace ddpm::cli {

// The flags of verbs that run a network, declared and checked here for all of them. Each verb adds those that it has.
struct RunFlags {
    std::string device = "auto", kernels = "fast", weights = "ema", precision = "fp32";
    int threads = 0;  // 0: all cores

    void add_machine(CLI::App& command);    // --device, --threads, --kernels
    void add_weights(CLI::App& command);    // --weights: ema or raw
    void add_precision(CLI::App& command);  // --precision: fp32, bf16 or auto

    // An unknown name is a user_error about its flag.
    void check_names() const;  // of --weights and --precision
    const Kernels& chosen_kernels() const;
    Runtime start(bool deterministic = false) const;  // as start_runtime()

    // What of the machine's flags was given, to be repeated in a command line: " --device cpu --threads 2", or nothing.
    std::string machine_words() const;
};

}  // namespace ddpm::cli
