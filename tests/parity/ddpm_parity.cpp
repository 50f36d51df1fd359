// Gives tests/parity/*.py what the command line does not have: single evaluations, gradients, sampler steps, training steps and features of
// pictures, on tensors in safetensors files. It writes results to safetensors files; `scheduler`, `solver`, `encode` and `edit` also print the
// cases that they refused, as JSON.

#include <cmath>
#include <cstdio>
#include <functional>
#include <map>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/random.h"
#include "ddpm/core/runtime.h"
#include "ddpm/dataset/options.h"
#include "ddpm/diffusion/process.h"
#include "ddpm/eval/features.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/editing.h"
#include "ddpm/sampling/sampler.h"
#include "ddpm/sampling/spacing.h"
#include "ddpm/train/step.h"
#include "judging_verbs.h"
#include "pipeline/edited.h"
#include "train/state.h"

namespace ddpm {
namespace {

using Arguments = std::vector<std::string>;
using Tensors = std::map<std::string, at::Tensor>;

Tensors read(const std::string& file) {
    Tensors tensors;
    for (auto& [name, tensor] : read_safetensors(file)) tensors[name] = tensor;
    return tensors;
}

// network FOLDER IN OUT float32|float64 KERNELS: `x`, `t`, perhaps `y` and `weight` → `output`, and the gradient of
// sum(output · weight) for every parameter.
void run_network(const Arguments& arguments) {
    const std::shared_ptr<UNet2D> unet = load_unet(open_pipeline(arguments.at(0)), kernels_named(arguments.at(4), "KERNELS"));
    const at::ScalarType dtype = arguments.at(3) == "float64" ? at::kDouble : at::kFloat;
    unet->to(dtype);
    Tensors in = read(arguments.at(1));
    const at::Tensor t = in.at("t").is_floating_point() ? in.at("t").to(dtype) : in.at("t");
    const at::Tensor output = unet->forward(in.at("x").to(dtype), t, in["y"]);
    (output * in.at("weight").to(dtype)).sum().backward();
    NamedTensors out{{"output", output.detach()}};
    for (const auto& parameter : unet->named_parameters())
        if (parameter.value().requires_grad()) out.emplace_back("grad." + parameter.key(), parameter.value().grad());
    write_safetensors(arguments.at(2), out);
}

// init UNET_CONFIG FOLDER: writes a pipeline with random weights, none of them zero.
void run_init(const Arguments& arguments) {
    UNet2D unet(unet_from_json(read_json_file(arguments.at(0)), arguments.at(0)));
    const at::NoGradGuard no_grad;
    uint64_t index = 0;
    for (auto& [name, parameter] : named_tensors(unet)) {
        std::vector<float> values(static_cast<size_t>(parameter.numel()));
        RandomStream(1, Purpose::weights, 0, index++).fill_normal(values.data(), values.size());
        const double scale = parameter.dim() > 1 ? 1 / std::sqrt(static_cast<double>(parameter[0].numel())) : 0.3;
        parameter.copy_(at::from_blob(values.data(), parameter.sizes(), at::kFloat) * scale);
    }
    make_folders(arguments.at(1));
    write_pipeline(arguments.at(1), unet.config(), to_scheduler(DiffusionOptions{}), named_tensors(unet));
}

// Runs one chain of a scheduler. The network answers outputs[i] at step i, whatever its input is.
void run_case(const Json& c, const std::string& name, Tensors& in, NamedTensors& out) {
    const SchedulerConfig config = scheduler_from_json(c.at("scheduler"), name);
    const NoiseSchedule schedule = make_schedule(config);
    const auto table = [&](const char* key, const Table& values) {
        out.emplace_back(name + "/" + key, at::tensor(std::vector<double>(values.begin(), values.end()), at::kDouble));
    };
    table("betas", schedule.betas());
    table("alphas_cumprod", schedule.alphas_cumprod());
    out.emplace_back(name + "/x_t", q_sample(schedule, in.at("x_start"), in.at("t"), in.at("noise")));
    out.emplace_back(name + "/v", velocity(schedule, in.at("x_start"), in.at("t"), in.at("noise")));

    SampleOptions given;
    given.steps = c.at("steps").get<int64_t>();
    if (c.contains("eta")) given.eta = c.at("eta").get<double>();
    const SampleOptions own = sampling_of(config);
    ResolvedSampling settings = resolve_sampling(given, own, schedule);
    // diffusers begins where the spacing does, even where that is in the middle.
    if (own.timestep_spacing)
        settings.levels = walk_over(
            schedule, spaced_timesteps(*own.timestep_spacing, schedule.size(), *given.steps, own.steps_offset.value_or(0)));
    const bool learned = settings.variance == VarianceType::learned_range;
    const int64_t channels = in.at("x_T").size(1);
    int64_t i = 0;
    const Network answers = [&](const at::Tensor&, const at::Tensor&, const at::Tensor&) {
        return in.at("outputs")[i++].slice(1, 0, learned ? 2 * channels : channels);
    };
    const NetworkDenoiser denoiser(answers, parse_prediction_type(config.prediction_type), learned);
    std::vector<at::Tensor> x;
    sample(
        denoiser, in.at("x_T"), {}, settings, [&](int64_t step) { return in.at("step_noise")[step]; },
        [&](const SamplingStep& step) { x.push_back(step.x.clone()); });
    out.emplace_back(name + "/x", at::stack(x));
    std::vector<int64_t> timesteps;  // ascending
    for (int64_t step = settings.steps() - 1; step >= 0; --step)
        timesteps.push_back(static_cast<int64_t>(settings.levels[static_cast<size_t>(step)].t));
    out.emplace_back(name + "/timesteps", at::tensor(timesteps, at::kLong));
}

// The network of whole walks, which looks at x and t.
at::Tensor bounded_network(const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    return (x * 1.7 + t.to(x.scalar_type()).view({-1, 1, 1, 1}) / 500).sin();
}

// Writes k and t of the levels that the steps of a walk begin at.
void write_levels(const Walk& walk, const std::string& name, NamedTensors& out) {
    std::vector<double> k, t;
    for (size_t i = 0; i + 1 < walk.size(); ++i) {
        k.push_back(walk[i].ratio());
        t.push_back(walk[i].t);
    }
    out.emplace_back(name + "/k", at::tensor(k, at::kDouble));
    out.emplace_back(name + "/t", at::tensor(t, at::kDouble));
}

// One walk by a network that looks at x and t.
void run_walk(const Json& c, const std::string& name, Tensors& in, NamedTensors& out) {
    const SchedulerConfig config = scheduler_from_json(c.at("scheduler"), name);
    SampleOptions given;
    sample_fields().read(given, c.at("sample"), "sample");
    const ResolvedSampling settings = resolve_sampling(given, {}, make_schedule(config));
    // Guidance goes from label 1 to label 0, whose answers differ by a shift of the phase.
    const Network labelled = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        return bounded_network(x + 0.3 * y.to(x.scalar_type()).view({-1, 1, 1, 1}), t, y);
    };
    const PredictionType type = parse_prediction_type(config.prediction_type);
    const at::Tensor y = at::zeros({in.at("x_T").size(0)}, at::kLong);
    const NetworkDenoiser alone(labelled, type), guided(guided_by_label(labelled, 1, settings.guidance, true), type);
    const GuidedDenoiser denoiser(guided, alone, settings.guidance);
    out.emplace_back(name + "/x", sample(denoiser, in.at("x_T"), y, settings, [&](int64_t i) { return in.at("step_noise")[i]; }));
    write_levels(settings.levels, name, out);
}

// The picture goes back to noise, from the clean level or, with `from_t_0`, from that of t = 0.
void run_encode(const Json& c, const std::string& name, Tensors& in, NamedTensors& out) {
    const SchedulerConfig config = scheduler_from_json(c.at("scheduler"), name);
    const NoiseSchedule schedule = make_schedule(config);
    const PredictionType type = parse_prediction_type(config.prediction_type);
    SampleOptions given;
    sample_fields().read(given, c.at("sample"), "sample");
    Walk walk = resolve_sampling(given, {}, schedule).levels;
    if (c.at("from_t_0").get<bool>()) walk.back() = schedule.level(0);
    const NetworkDenoiser denoiser(bounded_network, type);
    out.emplace_back(name + "/x", encode(denoiser, in.at("picture"), {}, walk, type, c.at("evaluations").get<int64_t>()));
    write_levels(walk, name, out);
}

// A walk that begins with the picture (`strength`, `from_t`), keeps a part of it (`mask`), or does so in RePaint's order (`repaint`).
// The noise NAME/KEY of a case takes the place of KEY.
void run_edit(const Json& c, const std::string& name, Tensors& in, NamedTensors& out) {
    const SchedulerConfig config = scheduler_from_json(c.at("scheduler"), name);
    const NoiseSchedule schedule = make_schedule(config);
    SampleOptions given;
    sample_fields().read(given, c.at("sample"), "sample");
    Edit edit;
    edit.pictures = in.at("picture");
    if (c.contains("strength")) edit.start.strength = c.at("strength").get<double>();
    if (c.contains("from_t")) edit.start.from_t = c.at("from_t").get<int64_t>();
    if (c.contains("mask")) edit.mask = in.at("mask");
    if (c.contains("repaint")) edit.repaint = Repaint{c.at("repaint")[0].get<int64_t>(), c.at("repaint")[1].get<int64_t>()};
    ResolvedSampling settings = begun_at(resolve_sampling(given, {}, schedule, edit.start.in_the_middle()), edit.start, schedule);
    if (c.contains("raw_eps")) settings.clipped_eps = ClippedEps::raw;
    const auto draws = [&](const std::string& key) -> NoiseSource {
        const std::string own = name + "/" + key;
        return [&in, source = in.count(own) ? own : key](int64_t i) { return in.at(source)[i]; };
    };
    const NetworkDenoiser denoiser(bounded_network, parse_prediction_type(config.prediction_type));
    const pipeline::EditNoise noise{in.at("x_T"), draws("step_noise"), draws("known_noise"), draws("undo_noise")};
    out.emplace_back(name + "/x", pipeline::sample_edited(edit, 0, denoiser, {}, settings, noise, {}));
    if (edit.repaint) out.emplace_back(name + "/order", at::tensor(repaint_order(settings.steps(), *edit.repaint), at::kLong));
    write_levels(settings.levels, name, out);
}

using Case = void (*)(const Json& c, const std::string& name, Tensors& in, NamedTensors& out);

// scheduler, solver, encode, edit CASES IN OUT: runs each case.
template <Case run_one>
void run_cases(const Arguments& arguments) {
    const Json cases =
        parse_json(read_file(arguments.at(0), 1u << 30), arguments.at(0));  // it is larger than the limit for users' files
    Tensors in = read(arguments.at(1));
    NamedTensors out;
    Json refused = Json::object();
    for (const auto& item : cases.items()) {
        try {
            run_one(item.value(), item.key(), in, out);
        } catch (const Error& error) {
            std::erase_if(out, [&](const auto& named) { return named.first.rfind(item.key() + "/", 0) == 0; });
            refused[item.key()] = error.what();
        }
    }
    write_safetensors(arguments.at(2), out);
    std::printf("%s\n", refused.dump().c_str());
}

// train CONFIG FOLDER IN OUT: as many steps as `x_start` [K,N,C,H,W], `t` [K,N] and `noise` hold, from the weights of
// FOLDER → `losses`, `grad_norms`, `raw.NAME`, `ema.NAME`.
void run_train(const Arguments& arguments) {
    const Json config = read_json_file(arguments.at(0));
    DatasetOptions dataset;
    ModelOptions model;
    TrainJob job;
    dataset_fields().read(dataset, config.at("dataset"), "dataset");
    model_fields().read(model, config.at("model"), "model");
    diffusion_fields().read(job.diffusion, config.at("diffusion"), "diffusion");
    train_fields().read(job.train, config.at("train"), "train");
    job.unet = resolve_unet(model, dataset.height, dataset.width, dataset.channels,
                            parse_variance_type(job.diffusion.variance_type) == VarianceType::learned_range);
    train::TrainState state(job);
    load_module(*open_pipeline(arguments.at(1)).weights, *state.network);
    load_module(*open_pipeline(arguments.at(1)).weights, *state.ema);

    Tensors in = read(arguments.at(2));
    const at::Tensor x_start = in.at("x_start");
    const NoiseSchedule schedule = make_schedule(job.diffusion);
    TrainingStep training(*state.network, make_objective(schedule, job.diffusion, job.train), job.train, 0, job.runtime);
    std::vector<double> losses, norms;
    for (int64_t k = 0; k < x_start.size(0); ++k) {
        const at::Tensor images = x_start[k].contiguous();
        Batch batch{images.size(0), images.size(1), images.size(2), images.size(3), {}, {}};
        batch.x_start.assign(images.const_data_ptr<float>(), images.const_data_ptr<float>() + images.numel());
        const StepNoise drawn{in.at("t")[k], in.at("noise")[k], {}, {}, {}};
        const train::StepResult result = state.take_step(job.train, [&](int64_t) { return training.accumulate(batch, drawn); });
        losses.push_back(result.loss);
        norms.push_back(result.grad_norm);
    }
    NamedTensors out{{"losses", at::tensor(losses, at::kDouble)}, {"grad_norms", at::tensor(norms, at::kDouble)}};
    for (const auto& [name, tensor] : named_tensors(*state.network)) out.emplace_back("raw." + name, tensor);
    for (const auto& [name, tensor] : named_tensors(*state.ema)) out.emplace_back("ema." + name, tensor);
    write_safetensors(arguments.at(3), out);
}

// features NAME IN OUT: `pictures` [N,C,H,W] of 8 bits → `features`, as they are before a transform. NAME: "inception:FILE".
void run_features(const Arguments& arguments) {
    const at::Tensor pictures = read(arguments.at(1)).at("pictures");
    const PictureFormat format{pictures.size(1), pictures.size(2), pictures.size(3)};
    write_safetensors(arguments.at(2), {{"features", make_features(arguments.at(0), format)->raw(pictures)}});
}

}  // namespace
}  // namespace ddpm

int main(int argc, char** argv) try {
    using namespace ddpm;
    const std::map<std::string, std::function<void(const Arguments&)>> verbs = {{"network", run_network},
                                                                                {"init", run_init},
                                                                                {"scheduler", run_cases<run_case>},
                                                                                {"solver", run_cases<run_walk>},
                                                                                {"encode", run_cases<run_encode>},
                                                                                {"edit", run_cases<run_edit>},
                                                                                {"train", run_train},
                                                                                {"distances", parity::measure_distances},
                                                                                {"scattering", parity::scatter},
                                                                                {"judge", parity::judge_sets},
                                                                                {"pictures", parity::write_pictures},
                                                                                {"features", run_features}};
    const auto verb = verbs.find(argc > 1 ? argv[1] : "");
    if (verb == verbs.end())
        user_error(
            "usage: ddpm_parity network|init|scheduler|solver|encode|edit|train|distances|scattering|judge|pictures|features ARGUMENTS…");
    start_runtime("cpu", 0);
    verb->second(Arguments(argv + 2, argv + argc));
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
