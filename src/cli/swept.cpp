#include "cli/swept.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/flag_names.h"
#include "cli/judging.h"
#include "cli/quality_result.h"
#include "cli/signals.h"
#include "ddpm/core/clock.h"
#include "ddpm/core/text.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

constexpr int64_t kShownOfCell = 16;  // pictures of a cell in samples.png

// Draws and judges all cells of `swept`.
class Sweeping {
public:
    Sweeping(Swept& swept, const Judge& judge, const std::vector<QualityMetric>& metrics)
        : swept_(swept), judge_(judge), metrics_(metrics), progress_("judging", total(swept), "evaluations") {}

    void run(const OpenOptions& options) {
        for (size_t index = 0; index < swept_.models.size(); ++index) {
            const Model model = swept_.models[index].open(options);
            for (SweptCell& cell : swept_.cells)
                if (cell.model == index) judge_cell(model, cell);
        }
        progress_.finish();
    }

private:
    static int64_t total(const Swept& swept) {
        int64_t evaluations = 0;
        for (const SweptCell& cell : swept.cells) evaluations += cell.evaluations;
        return swept.n * evaluations;
    }

    void judge_cell(const Model& model, SweptCell& cell) {
        const int64_t all_done = done_ + swept_.n * cell.evaluations;
        const at::Tensor raw = raw_of(model, cell);
        done_ = all_done;
        if (!cell.finite) return;
        cell.numbers = judge_.measure(raw, metrics_, throw_if_stopped);
        const QualityNumber& number = cell.numbers.front();
        spdlog::info("{}: {} {:.5g} +/- {:.2g}, {} for {}", swept_.name_of(cell), number.name, number.value, 2 * number.sd,
                     format_duration(cell.seconds), plural(swept_.n, "picture"));
    }

    // Draws the pictures and returns their raw features, up to the first batch that is not finite.
    at::Tensor raw_of(const Model& model, SweptCell& cell) {
        Session session(
            model, SessionOptions{.sample = cell.asked, .seed = static_cast<uint64_t>(swept_.seed), .precision = swept_.precision});
        std::vector<at::Tensor> raw, shown;
        for (int64_t first = 0; first < swept_.n; first += swept_.batch) {
            const int64_t count = std::min(swept_.batch, swept_.n - first);
            const at::Tensor pictures = draw(session, first, count, cell);
            if (first < kShownOfCell) shown.push_back(pictures.slice(0, 0, kShownOfCell - first));
            cell.finite = at::isfinite(pictures).all().item<bool>();
            if (!cell.finite) break;
            raw.push_back(judge_.features().raw(pictures));
        }
        cell.shown = at::cat(shown);
        return cell.finite ? at::cat(raw) : at::Tensor();
    }

    at::Tensor draw(Session& session, int64_t first, int64_t count, SweptCell& cell) {
        const ResolvedSampling& settings = session.settings();
        const double begin = steady_seconds();
        const at::Tensor pictures = session.sample(first, count, [&](const SamplingStep& step) {
            progress_.update(done_ + count * (cell.evaluations - settings.evaluations(step.i + 1)));
            throw_if_stopped();
        });
        cell.seconds += steady_seconds() - begin;
        done_ += count * cell.evaluations;
        return pictures;
    }

    Swept& swept_;
    const Judge& judge_;
    const std::vector<QualityMetric>& metrics_;
    Progress progress_;
    int64_t done_ = 0;
};

}  // namespace

std::vector<Contender> Swept::contenders() const {
    std::vector<Contender> all;
    for (const SweptCell& cell : cells) {
        const Jackknifed none{std::numeric_limits<double>::quiet_NaN(), {}};
        all.push_back(
            {cell.evaluations, cell.finite ? Jackknifed{cell.numbers.front().value, cell.numbers.front().without} : none});
    }
    return all;
}

std::string Swept::name_of(const SweptCell& cell) const {
    const std::string way = fmt::format("{} in {}", rows[cell.row].text, plural(cell.settings.steps(), "step"));
    if (models.size() == 1) return way;
    const std::string model = models[cell.model].name();
    return cells.size() == models.size() ? model : model + ", " + way;
}

const SweptCell* Swept::any_judged() const {
    const auto found = std::find_if(cells.begin(), cells.end(), [](const SweptCell& cell) { return cell.finite; });
    return found == cells.end() ? nullptr : &*found;
}

SweptReady settle_swept(Swept& swept, const EvalFlags& flags, const SweptJudging& how, const Runtime& runtime,
                        const SettleSwept& settle) {
    const Kernels& kernels = flags.chosen_kernels();
    SweptReady ready{.pictures = {},
                     .features = nullptr,
                     .metrics = read_ranking_metrics(how.metrics),
                     .options = {flags.weights, runtime.device, &kernels}};
    for (size_t index = 0; index < swept.models.size(); ++index) {
        SweptModel& swept_model = swept.models[index];
        const Model model = swept_model.open(ready.options);
        // It will be opened again, and its run may have gone on until then.
        swept_model.path = model.source;
        if (model.ema_step) swept_model.step = swept_model.ema_step = model.ema_step;
        settle(model, index);
        if (index > 0) continue;
        const PictureFormat format{model.channels(), model.height, model.width};
        ready.features = naming_flag("--features", [&] { return make_features(how.features, format, runtime.device); });
        const GivenReference reference = open_reference(how.ref, how.features);
        ready.pictures = open_real(flags, reference, &model, {}, swept.n, how.real, runtime.threads);
        check_reference(ready.pictures, *ready.features, ready.metrics);
    }
    for (SweptCell& cell : swept.cells) cell.evaluations = cell.settings.evaluations();
    swept.decides = ready.metrics.front().name;
    swept.weights = flags.weights;
    swept.precision = settle_precision(flags.precision, kernels, runtime.device.is_cpu());
    swept.device = describe(runtime);
    ignore_sigpipe();
    catch_stop_signals();
    return ready;
}

void judge_swept(Swept& swept, SweptReady ready) {
    spdlog::info("{}: {} of {} each, beside {}, on {}", swept.ckpt, plural(static_cast<int64_t>(swept.cells.size()), "set"),
                 plural(swept.n, "sample"), ready.pictures.description(), swept.device);
    spdlog::info("features {}", ready.features->protocol().line());
    const std::unique_ptr<const Judge> judge = read_judge(std::move(ready.features), ready.pictures, swept.n, swept.batch);
    swept.protocol = judged_protocol(judge->features().protocol(), judge->real(), swept.n);
    Sweeping(swept, *judge, ready.metrics).run(ready.options);
    swept.ranking = rank_samples(swept.contenders());
    for (const SweptCell& cell : swept.cells)
        if (!cell.finite)
            spdlog::warn("{}: its pictures are not finite: the weights are damaged, or the training diverged", swept.name_of(cell));
}

}  // namespace ddpm::cli
