#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace ddpm::cli {

// One verb of the program. `add` declares its flags on a subcommand of its own and returns what to run once they are
// parsed; the result is the exit code.
struct Verb {
    const char* name;
    const char* summary;
    const char* example;  // shown under --help
    std::function<int()> (*add)(CLI::App& command);
};

const std::vector<Verb>& verbs();

std::function<int()> add_train(CLI::App& command);
std::function<int()> add_sample(CLI::App& command);
std::function<int()> add_eval(CLI::App& command);
std::function<int()> add_noise_preview(CLI::App& command);
std::function<int()> add_schedule(CLI::App& command);
std::function<int()> add_info(CLI::App& command);
std::function<int()> add_convert(CLI::App& command);
std::function<int()> add_data(CLI::App& command);
std::function<int()> add_config(CLI::App& command);
std::function<int()> add_completion(CLI::App& command);

// Parses the command line and runs the verb. Every error ends here, as one line on standard error (two with a hint).
// Returns the exit code: 0; 2 the user's mistake; 1 a failure at run time; 129, 130 and 143 after SIGHUP, SIGINT and SIGTERM.
int run_program(int argc, const char* const* argv);

}  // namespace ddpm::cli
