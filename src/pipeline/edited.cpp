#include "pipeline/edited.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

at::Tensor Edit::known(int64_t first, int64_t count) const {
    const at::Tensor rows = at::arange(first, first + count, at::kLong).div(variants, "floor");
    return pictures.index_select(0, rows);
}

int64_t steps_taken(const Edit& edit, const ResolvedSampling& settings) {
    return edit.repaint ? steps_taken(repaint_order(settings.steps(), *edit.repaint)) : settings.steps();
}

std::vector<int64_t> evaluations_left(const Edit& edit, const ResolvedSampling& settings) {
    const int64_t S = settings.steps();
    std::vector<int64_t> steps;  // that are taken, by their place in the walk
    if (edit.repaint) {
        int64_t before = S;
        for (const int64_t tau : repaint_order(S, *edit.repaint)) {
            if (tau < before) steps.push_back(S - 1 - tau);
            before = tau;
        }
    } else {
        for (int64_t i = 0; i < S; ++i) steps.push_back(i);
    }
    std::vector<int64_t> left(steps.size() + 1, 0);
    for (size_t k = steps.size(); k-- > 0;)
        left[k] = left[k + 1] + settings.evaluations(steps[k]) - settings.evaluations(steps[k] + 1);
    return left;
}

void check(const Edit& edit, int64_t channels, int64_t height, int64_t width, const ResolvedSampling& settings) {
    if (!edit.asked()) {
        if (edit.mask.defined() || edit.repaint || edit.start.in_the_middle())
            user_error("edit: a mask, RePaint or a walk that begins in the middle wants pictures");
        return;
    }
    if (!edit.mask.defined() && !edit.start.in_the_middle())
        user_error("edit: neither a mask nor where the walk begins is given, so nothing of the pictures would be seen");
    if (edit.repaint && !edit.mask.defined()) user_error("edit: RePaint wants a mask");
    if (edit.variants < 1) user_error(fmt::format("edit: {} variants of each picture, expected at least 1", edit.variants));
    const std::vector<int64_t> shape{edit.pictures.size(0), channels, height, width}, mask_shape{height, width};
    if (edit.pictures.sizes() != shape || shape[0] < 1)
        user_error(fmt::format("edit: the pictures are [{}], expected [N, {}, {}, {}]", fmt::join(edit.pictures.sizes(), ", "),
                               channels, height, width));
    if (edit.mask.defined() && edit.mask.sizes() != mask_shape)
        user_error(fmt::format("edit: the mask is [{}], expected [{}, {}]", fmt::join(edit.mask.sizes(), ", "), height, width));
    if (edit.repaint) repaint_order(settings.steps(), *edit.repaint);
}

at::Tensor pipeline::sample_edited(const Edit& edit, int64_t first, const Denoiser& denoiser, const at::Tensor& y,
                                   const ResolvedSampling& settings, const EditNoise& noise, const StepCallback& on_step) {
    const int64_t count = noise.start.size(0), samples = edit.pictures.size(0) * edit.variants;
    if (first + count > samples)
        user_error(fmt::format("edit: {} to sample, asked for {} to {}", plural(samples, "picture"), first, first + count - 1));
    const at::Tensor known = edit.known(first, count).to(noise.start.options());
    const NoiseLevel& begin = settings.levels.front();
    const at::Tensor x = edit.start.in_the_middle() ? begin.alpha * known + begin.sigma * noise.start : noise.start;
    const StepHook hook = edit.mask.defined() ? keep_known(known, edit.mask.to(noise.start.options()), noise.known) : StepHook();
    if (edit.repaint) return sample_repaint(denoiser, x, y, settings, *edit.repaint, noise.steps, noise.undone, on_step, hook);
    return sample(denoiser, x, y, settings, noise.steps, on_step, hook);
}

}  // namespace ddpm
