#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ddpm/core/runtime.h"
#include "ddpm/kernels/kernels.h"

namespace CLI {
class App;
}

namespace ddpm::cli {

// The flags of all verbs that run a network. Each verb adds the ones that it needs.
struct RunFlags {
    static constexpr const char* kWeights = "ema";

    std::string device = "auto", kernels = "fast", weights = kWeights, precision = "fp32";
    int threads = 0;                  // 0: all cores
    std::optional<double> ema_width;  // OpenOptions::ema_width
    std::optional<int64_t> ema_step;  // OpenOptions::ema_step

    void add_machine(CLI::App& command);    // --device, --threads, --kernels
    void add_weights(CLI::App& command);    // --weights: ema or raw; --ema-width
    void add_ema_step(CLI::App& command);   // --step, of --ema-width
    void add_precision(CLI::App& command);  // --precision: fp32, bf16 or auto

    // In all three, an unknown value is a user_error that begins with its flag.
    void check_names() const;  // of --weights and --precision; also refuses a wrong --ema-width, and --step without it
    const Kernels& chosen_kernels() const;
    Runtime start(bool deterministic = false) const;  // calls start_runtime()

    // Returns the flags of add_machine that differ from their defaults, for a command line: " --device cpu --threads 2", or "".
    std::string machine_words() const;
};

}  // namespace ddpm::cli
