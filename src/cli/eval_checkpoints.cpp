#include "cli/eval_checkpoints.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "cli/judging.h"
#include "cli/places.h"
#include "cli/quality_result.h"
#include "cli/sampling_flags.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"

namespace ddpm::cli {

void check_every_checkpoint(const EvalFlags& flags, bool has_samples, const std::string& metrics, const std::string& plot) {
    if (has_samples) user_error("--every-checkpoint: judges the samples of a run, not those of a folder; leave --samples out");
    if (flags.ema_width)
        user_error("--every-checkpoint and --ema-width contradict each other: an average has snapshots of its own",
                   "ddpm eval sweep --ema-widths 0.05,0.1 judges averages of several widths");
    read_ranking_metrics(metrics);
    if (!plot.empty()) check_place("--plot", plot, ResultKind::picture);
}

int judge_every_checkpoint(const EvalFlags& flags, const EveryCheckpoint& how) {
    Swept swept{.ckpt = flags.ckpt, .seed = flags.seed, .n = how.n, .batch = flags.batch};
    swept.models = swept_checkpoints(flags.ckpt, "all", flags.weights, "--every-checkpoint");
    const Runtime runtime = flags.start();
    SweptReady ready = settle_swept(swept, flags, how.judging, runtime, [&](const Model& model, size_t index) {
        const ResolvedSampling settings = SamplingFlags::settle(model, how.sampling);
        if (index == 0) swept.rows.push_back({.text = settings.sampler, .asked = how.sampling});
        swept.cells.push_back({.model = index, .row = 0, .asked = how.sampling, .settings = settings});
    });
    if (const std::string& notice = swept.cells.front().settings.notice; !notice.empty()) spdlog::warn("{}", notice);
    judge_swept(swept, std::move(ready));
    print_swept(swept);
    spdlog::info(kTrust);
    if (!how.json.empty()) write_file(how.json, swept_as_json(swept, kQualityFormat) + "\n");
    if (!how.plot.empty()) write_png(how.plot, draw_over_steps(swept), software_text());
    for (const std::string& file : {how.json, how.plot})
        if (!file.empty()) spdlog::info("wrote {}", file);
    return 0;
}

}  // namespace ddpm::cli
