#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace ddpm::cli {

// One verb of the program. `add` declares its flags on its subcommand and returns the function to run when they are parsed. That
// function returns the exit code.
struct Verb {
    const char* name;
    const char* summary;
    const char* example;  // shown under --help
    std::function<int()> (*add)(CLI::App& command);
};

const std::vector<Verb>& verbs();

std::function<int()> add_train(CLI::App& command);
std::function<int()> add_sample(CLI::App& command);
std::function<int()> add_compare(CLI::App& command);
std::function<int()> add_eval(CLI::App& command);
std::function<int()> add_noise_preview(CLI::App& command);
std::function<int()> add_schedule(CLI::App& command);
std::function<int()> add_info(CLI::App& command);
std::function<int()> add_convert(CLI::App& command);
std::function<int()> add_ema(CLI::App& command);
std::function<int()> add_report(CLI::App& command);
std::function<int()> add_data(CLI::App& command);
std::function<int()> add_config(CLI::App& command);
std::function<int()> add_completion(CLI::App& command);

// Parses the command line and runs the verb. It catches every error and prints it as one line on standard error, two with a hint.
// Returns the exit code: 0, 2 for the user's mistake, 1 for a failure at run time, and 129, 130 or 143 after SIGHUP, SIGINT or
// SIGTERM.
int run_program(int argc, const char* const* argv);

}  // namespace ddpm::cli
