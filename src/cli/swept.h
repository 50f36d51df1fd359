#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cli/compare_rows.h"
#include "cli/eval_flags.h"
#include "cli/judged_reference.h"
#include "cli/sweep_models.h"
#include "ddpm/core/json.h"
#include "ddpm/core/runtime.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/quality.h"
#include "ddpm/eval/ranking.h"
#include "ddpm/image/image.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::cli {

// A network, a way of sampling from it, and what was measured of the samples.
struct SweptCell {
    size_t model = 0, row = 0;  // of Swept
    SampleOptions asked{};
    ResolvedSampling settings{};           // what `asked` comes to
    int64_t evaluations = 0;               // of the network, for each picture
    double seconds = 0;                    // that drawing all pictures took
    bool finite = false;                   // false: a number of a picture is NaN or infinite, and nothing was measured
    std::vector<QualityNumber> numbers{};  // the first one decides
    at::Tensor shown{};                    // the first pictures, [n,C,H,W]
};

// Sets of samples that begin at the same noise and are judged beside the same real pictures.
struct Swept {
    std::string ckpt{}, weights{}, precision{}, device{}, decides{};  // decides: the name of the number that ranks, "mmd"
    int64_t seed = 0, n = 0, batch = 0;
    Json protocol{};                   // judged_protocol
    std::vector<SweptModel> models{};  // at least one
    std::vector<CompareRow> rows{};    // at least one
    std::vector<SweptCell> cells{};    // model by model, within it row by row, within it in the order of the steps
    std::optional<Ranking> ranking{};  // of the cells; nothing if no pictures are finite

    std::vector<Contender> contenders() const;
    // "step 5000, ddim in 10 steps", without what all cells have in common.
    std::string name_of(const SweptCell& cell) const;
    // The cell whose numbers have the names and the floors of all; null if no pictures are finite.
    const SweptCell* any_judged() const;
};

// What all cells are judged by.
struct SweptJudging {
    std::string features, metrics;  // --features and --metrics, whose first one ranks
    std::string ref;                // --ref; "": none
    int64_t real = 0;               // --real
};

// What judge_swept needs, once nothing can be refused any more.
struct SweptReady {
    RealPictures pictures;
    std::unique_ptr<Features> features;
    std::vector<QualityMetric> metrics;
    OpenOptions options;
};

// Appends the cells of a model, number `index` of Swept::models: model, row, `asked` and `settings`.
using SettleSwept = std::function<void(const Model& model, size_t index)>;

// Opens every model once, so that nothing is refused half-way, and with the first one the real pictures and the features. From then
// on a stop (Ctrl-C) unwinds, so that what is half-written is removed.
SweptReady settle_swept(Swept& swept, const EvalFlags& flags, const SweptJudging& how, const Runtime& runtime,
                        const SettleSwept& settle);

// Reads the real pictures, opens the models one after the other, draws and judges all cells, and ranks them. There is one progress line over all evaluations and a
// log line for each cell; cells whose pictures are not finite are warned of. Stops as throw_if_stopped does.
void judge_swept(Swept& swept, SweptReady ready);

// Prints the table of all cells, the floor, and verdicts() to standard output.
void print_swept(const Swept& swept);

// Sentences: which cell is the best, which one is the cheapest that is not told apart from it, and which others are not.
std::vector<std::string> verdicts(const Swept& swept);

// {format, schema, protocol, …, entries: [{…, results, difference}, …], best, cheapest}; the last two are indices of entries or null.
std::string swept_as_json(const Swept& swept, const std::string& format);
// A number that is not there is an empty field.
std::string swept_as_csv(const Swept& swept);
std::string swept_as_markdown(const Swept& swept);

// pareto.png: the deciding number over the evaluations, with its interval, the floor, and the Pareto front.
Image draw_pareto(const Swept& swept);
// samples.png: the first pictures of each cell.
Image draw_swept_samples(const Swept& swept);
// Every number over the steps of the models, with bands of two deviations, and the floor.
Image draw_over_steps(const Swept& swept);

}  // namespace ddpm::cli
