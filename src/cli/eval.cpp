#include <memory>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/evaluations.h"

namespace ddpm::cli {

const std::vector<Verb>& evaluations() {
    static const std::vector<Verb> table = {
        {"bpd", "the variational bound on the likelihood of pictures, in bits per dimension",
         "ddpm eval bpd --ckpt runs/shapes --plot bpd.png", add_eval_bpd},
        {"quality", "how near samples are to real pictures: distances with their intervals, beside those of real pictures",
         "ddpm eval quality --ckpt runs/shapes --n 500", add_eval_quality},
    };
    return table;
}

std::function<int()> add_eval(CLI::App& command) {
    auto run = std::make_shared<std::function<int()>>();
    command.require_subcommand(1);
    for (const Verb& evaluation : evaluations()) {
        CLI::App* nested = command.add_subcommand(evaluation.name, evaluation.summary);
        nested->fallthrough();
        nested->footer(fmt::format("Example: {}", evaluation.example));
        nested->callback([run, action = evaluation.add(*nested)] { *run = action; });
    }
    return [run] { return (*run)(); };
}

}  // namespace ddpm::cli
