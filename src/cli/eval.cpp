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
        {"neighbours", "whether samples are copies of training pictures: how near they lie, beside held-out pictures",
         "ddpm eval neighbours --ckpt runs/shapes --sheet runs/shapes/neighbours.png", add_eval_neighbours},
        {"sweep", "which sampler, in how many steps, of which checkpoint: distances to real pictures beside their cost",
         "ddpm eval sweep --ckpt runs/shapes --samplers ddim,unipc,ancestral:1000 --steps 5,10,20", add_eval_sweep},
        {"stats", "write statistics of real pictures to a file, for --ref of eval quality and for other programs",
         "ddpm eval stats --data pictures --size 32 --out pictures.npz", add_eval_stats},
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
