#include "cli/encode.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/edit_flags.h"
#include "cli/places.h"
#include "cli/signals.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/report/progress.h"

namespace ddpm::cli {

namespace {

constexpr double kMissed = 4;  // of 255, on average: what is seen
constexpr const char* kRemedy = "more --steps, a larger --fixed-point, or --spacing karras or exponential come nearer";

// The way back has to be ddim without noise and without bounds; what a flag asks for beside that is refused.
SampleOptions inversion_options(const SamplingFlags& sampling) {
    SampleOptions asked = without_alias(sampling.options());
    if (asked.sampler && *asked.sampler != "ddim")
        user_error(fmt::format("--encode: goes the way of ddim backwards, got --sampler {}", *asked.sampler));
    if (asked.eta.value_or(0) > 0) user_error(fmt::format("--encode: wants ddim without noise, got eta {}", *asked.eta));
    if (asked.threshold_ratio) user_error("--encode: bounds of the predicted picture have no way back; leave --threshold out");
    if (asked.guidance_scale.value_or(1) != 1)
        user_error(fmt::format("--encode: a guided walk has no way back, got --guidance {}", *asked.guidance_scale));
    asked.guidance_scale = 1;
    asked.sampler = "ddim";
    asked.eta = 0;
    asked.clip = false;
    return asked;
}

// By how much the pictures differ that are drawn from x_T, on average and in 1/255. The pictures are the first ones.
double missed(const Model& model, SessionOptions options, const at::Tensor& x_T, const at::Tensor& pictures) {
    options.noise.x_T = x_T;
    Session back(model, std::move(options));
    const at::Tensor again = back.sample(0, x_T.size(0), [](const SamplingStep&) { throw_if_stopped(); });
    return 127.5 * (again.clamp(-1, 1) - pictures).abs().mean().item<double>();
}

bool holds_x_T(const fs::path& file) {
    try {
        const SafetensorsHeader header = read_safetensors_header(file);
        return header.tensors.size() == 1 && header.tensors.front().name == "x_T";
    } catch (const Error&) {
        return false;
    }
}

// The flags that draw from what was encoded.
std::string way_back(const ResolvedSampling& settings, const Model& model, const std::string& model_flags) {
    std::string flags = "--sampler ddim --eta 0 --no-clip" + model_flags;
    if (model.sampling.guidance_scale.value_or(1) != 1) flags += " --guidance 1";
    if (!settings.spacing.empty()) {
        flags += fmt::format(" --steps {} --spacing {}", settings.steps(), settings.spacing);
        return settings.spacing == "karras" ? flags + fmt::format(" --rho {}", settings.rho) : flags;
    }
    std::vector<std::string> times;
    for (int64_t i = 0; i < settings.steps(); ++i) times.push_back(fmt::format("{}", settings.levels[static_cast<size_t>(i)].t));
    return flags + " --timesteps " + join(times, ",");
}

}  // namespace

void check_encode_place(const std::string& out, bool overwrite) {
    check_place("--out", out, ResultKind::tensors);
    if (!is_present(out)) return;
    if (!holds_x_T(out)) refuse_to_replace(out, "holds something else than x_T", "choose another --out");
    if (!overwrite) user_error(out + ": exists", "--overwrite replaces it, --out writes elsewhere");
}

void encode_pictures(const EncodeRequest& request, const SamplingFlags& sampling, const Model& model) {
    SessionOptions options{inversion_options(sampling), 0, request.label, request.precision, {}, {}};
    const ResolvedSampling settings = SamplingFlags::settle(model, options.sample);
    at::Tensor pixels;
    const std::vector<FramedPicture> pictures = read_for(model, "--encode", request.pictures, request.threads, pixels);
    const auto N = static_cast<int64_t>(pictures.size());
    const int64_t evaluations = settings.steps() * request.evaluations;
    spdlog::info("{}: encoding {} by ddim in {}, {} each", model.source, plural(N, "picture"), plural(settings.steps(), "step"),
                 plural(request.evaluations, "evaluation"));
    if (!settings.notice.empty()) spdlog::warn("{}", settings.notice);
    Session session(model, options);
    Progress progress("encoding", N * evaluations, "evaluations");
    std::vector<at::Tensor> encoded;
    for (int64_t first = 0; first < N; first += request.batch) {
        const int64_t count = std::min(request.batch, N - first);
        encoded.push_back(session.encode(pixels.slice(0, first, first + count), first, request.evaluations, [&](int64_t done) {
            progress.update(first * evaluations + count * done * request.evaluations);
            throw_if_stopped();
        }));
        if (!encoded.back().isfinite().all().item<bool>())
            runtime_failure(model.source + ": x_T is not finite: the network's weights are damaged, or the steps are too large",
                            "more --steps may help");
    }
    progress.finish();
    const double error = missed(model, std::move(options), encoded.front(), pixels.slice(0, 0, encoded.front().size(0)));
    if (error > kMissed)
        spdlog::warn("the pictures that are drawn from x_T differ from those that were encoded by {:.1f} of 255; {}", error,
                     kRemedy);
    else
        spdlog::info("the pictures that are drawn from x_T differ from those that were encoded by {:.2f} of 255", error);
    SafetensorsMetadata metadata{{"format", "pt"},
                                 {"sampler", settings.sampler},
                                 {"steps", std::to_string(settings.steps())},
                                 {"fixed_point", std::to_string(request.evaluations)}};
    metadata.insert(metadata.end(), request.model_text.begin(), request.model_text.end());
    for (const auto& [key, value] : keys_in_force(settings)) metadata.emplace_back(key, value);
    write_safetensors(request.out, {{"x_T", at::cat(encoded)}}, metadata);
    spdlog::info("wrote {}; draw from it with --noise {} {}", request.out, request.out,
                 way_back(settings, model, request.model_flags));
}

}  // namespace ddpm::cli
