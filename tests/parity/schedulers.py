"""Schedulers: tables, forward process and every step, over all combinations that both programs know.

Both are given the same x_T, the same network outputs and the same noise. (a) With diffusers' tables overwritten by float64
ones everything agrees to rounding; (b) as shipped, with float32 tables, the tables agree and the steps are reported.
"""
import itertools
import json
import math

import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddpm
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

from tools import relative, write_json

T = 1000
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "trained_betas")
SPACINGS = (("leading", 0), ("leading", 1), ("trailing", 0), ("linspace", 0))
PREDICTIONS = ("epsilon", "sample", "v_prediction")
VARIANCES = ("fixed_small", "fixed_small_log", "fixed_large", "learned_range")
STEPS = ((10, True), (7, False))  # 7 does not divide T; clipped, unclipped


def betas64(schedule):
    """diffusers' rules in float64."""
    if schedule == "linear":
        return torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    if schedule == "scaled_linear":
        return torch.linspace(1e-4**0.5, 0.02**0.5, T, dtype=torch.float64) ** 2
    if schedule == "sigmoid":
        return torch.sigmoid(torch.linspace(-6, 6, T, dtype=torch.float64)) * (0.02 - 1e-4) + 1e-4
    if schedule == "squaredcos_cap_v2":
        bar = lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        return torch.tensor([min(1 - bar((i + 1) / T) / bar(i / T), 0.999) for i in range(T)], dtype=torch.float64)
    return torch.linspace(0.05**0.5, 1e-2, T, dtype=torch.float64) ** 2 * 0.1  # falling: no rule makes these


def configuration(schedule, spacing, offset, zero_snr, prediction, clip, **more):
    rule = dict(trained_betas=betas64(schedule).tolist()) if schedule == "trained_betas" else dict(beta_schedule=schedule)
    return dict(num_train_timesteps=T, timestep_spacing=spacing, steps_offset=offset, rescale_betas_zero_snr=zero_snr,
                prediction_type=prediction, clip_sample=clip) | rule | more


def cases():
    for (schedule, (spacing, offset), zero_snr, prediction, (steps, clip)) in itertools.product(
            SCHEDULES, SPACINGS, (False, True), PREDICTIONS, STEPS):
        shared = dict(schedule=schedule, steps=steps, zero_snr=zero_snr)
        settings = (schedule, spacing, offset, zero_snr, prediction, clip)
        for variance in VARIANCES:
            config = configuration(*settings, variance_type=variance)
            yield shared | dict(sampler="ancestral", scheduler=config | {"_class_name": "DDPMScheduler"})
        if schedule != "sigmoid":  # DDIMScheduler has none
            for eta in (0.0, 0.5, 1.0):
                yield shared | dict(sampler="ddim", eta=eta,
                                    scheduler=configuration(*settings) | {"_class_name": "DDIMScheduler"})


def thresholded_cases():
    for prediction, (steps, _) in itertools.product(PREDICTIONS, STEPS):
        config = configuration("linear", "leading", 0, False, prediction, True, thresholding=True, dynamic_thresholding_ratio=0.9,
                               sample_max_value=1.5)
        shared = dict(schedule="linear", steps=steps, zero_snr=False)
        yield shared | dict(sampler="ancestral", scheduler=config | {"variance_type": "fixed_small", "_class_name": "DDPMScheduler"})
        yield shared | dict(sampler="ddim", eta=0.5, scheduler=config | {"_class_name": "DDIMScheduler"})


def shared_tensors():
    g = torch.Generator().manual_seed(0)
    randn = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)
    shape = (2, 3, 4, 5)
    return dict(x_start=randn(*shape).clamp(-1, 1), noise=randn(*shape), t=torch.tensor([3, 998]), x_T=randn(*shape),
                outputs=randn(10, 2, 6, 4, 5), step_noise=randn(10, *shape))


def theirs(case, tensors, float64):
    """x after each step, and the scheduler."""
    config = {k: v for k, v in case["scheduler"].items() if k != "_class_name"}
    scheduler = (DDPMScheduler if case["sampler"] == "ancestral" else DDIMScheduler)(**config)
    if float64:
        betas = betas64(case["schedule"])
        scheduler.betas = rescale_zero_terminal_snr(betas) if case["zero_snr"] else betas
        scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas, 0)
        scheduler.alphas = 1 - scheduler.betas
        scheduler.one = scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    scheduler.set_timesteps(case["steps"])
    dtype = torch.float64 if float64 else torch.float32
    x, xs = tensors["x_T"].to(dtype), []
    learned = config.get("variance_type") == "learned_range"
    for i, t in enumerate(scheduler.timesteps[:case["steps"]]):  # trailing sometimes has a stray −1 at the end
        output = tensors["outputs"][i][:, :None if learned else 3].to(dtype)
        z = tensors["step_noise"][i].to(dtype)
        if case["sampler"] == "ancestral":
            scheduling_ddpm.randn_tensor = lambda *args, **kwargs: z
            x = scheduler.step(output, t, x).prev_sample
        else:
            x = scheduler.step(output, t, x, eta=case["eta"], use_clipped_model_output=True,
                               variance_noise=z if case["eta"] > 0 else None).prev_sample
        xs.append(x)
    return torch.stack(xs), scheduler


def compare_steps(case, ours, x, report):
    spacing, steps = case["scheduler"]["timestep_spacing"], case["steps"]
    differences = [relative(ours[i], x[i]) for i in range(steps)]
    if case["sampler"] == "ddim":
        if spacing == "linspace" or (spacing == "trailing" and T % steps != 0):
            report.deviation(f"DDIM step, {spacing}{'' if spacing == 'linspace' else ', S does not divide T'}",
                             max(differences), 1e-6, "DDIMScheduler steps to t − T//S, which is not the next time in its "
                             "own list; here, as in DDPMScheduler, it is")
        else:
            report(f"DDIM step, {spacing}, float64 tables", max(differences), 1e-10)
        return
    variance, last_t = case["scheduler"]["variance_type"], case["last_t"]
    row = f"ancestral step, {variance}, float64 tables"
    report(row, max(differences[:-1]), 1e-10)
    if last_t == 0:
        report(row, differences[-1], 1e-10)
    elif variance.startswith("fixed_small"):
        # diffusers adds √1e-20·z there, the floor of its variance.
        report("ancestral last step at t > 0, fixed_small", differences[-1], 1e-9)
    else:
        report.deviation(f"ancestral last step at t > 0, {variance}", differences[-1], 1e-6,
                         "DDPMScheduler adds noise whenever t > 0, which with trailing or an offset includes the step "
                         "that arrives at x_0; here that step adds none")


def run(programs, report):
    named = {}
    for number, case in enumerate(itertools.chain(cases(), thresholded_cases())):
        named[f"case{number}"] = case
    tensors = shared_tensors()
    cases_file = programs.work / "cases.json"
    write_json(named, cases_file)
    results, printed = programs.ask("scheduler", cases_file, tensors=tensors)
    refused = json.loads(printed)
    for name, case in named.items():
        # The last t of a schedule with zero SNR holds no picture; leading spacing doesn't begin there.
        impossible = (case["zero_snr"] and case["scheduler"]["prediction_type"] == "epsilon" and
                      case["scheduler"]["timestep_spacing"] != "leading")
        if impossible != (name in refused):
            raise RuntimeError(f"{case}: {refused.get(name, 'not refused')}")
        if impossible:
            continue
        of = lambda key: results[f"{name}/{key}"]
        x, scheduler = theirs(case, tensors, float64=True)
        if of("timesteps").flip(0).tolist() != scheduler.timesteps[:case["steps"]].tolist():
            raise RuntimeError(f"{case}: other timesteps")
        case["last_t"] = int(of("timesteps")[0])
        report("alphas_cumprod, float64 tables", relative(of("alphas_cumprod"), scheduler.alphas_cumprod), 1e-10)
        report("add_noise, float64 tables", relative(
            of("x_t"), scheduler.add_noise(tensors["x_start"], tensors["noise"], tensors["t"])), 1e-10)
        report("get_velocity, float64 tables", relative(
            of("v"), scheduler.get_velocity(tensors["x_start"], tensors["noise"], tensors["t"])), 1e-10)
        compare_steps(case, of("x"), x, report)

        shipped, scheduler = theirs(case, tensors, float64=False)
        report("alphas_cumprod as shipped (absolute)",
               (of("alphas_cumprod") - scheduler.alphas_cumprod.double()).abs().max(), 1e-6)
        # Rescaled to zero SNR in float32, the last betas are quotients of two numbers that are nearly zero.
        betas = (of("betas") - scheduler.betas.double()).abs().max()
        report(f"betas as shipped{', zero SNR' if case['zero_snr'] else ''} (absolute)", betas,
               None if case["zero_snr"] else 1e-6)
        if case["last_t"] == 0 and not (case["sampler"] == "ddim" and case["scheduler"]["timestep_spacing"] != "leading"):
            kind = "clipped" if case["scheduler"]["clip_sample"] else "unclipped"
            report(f"{case['sampler']} steps as shipped, {kind}", relative(of("x"), shipped))
    refuse_fixed_large_log(programs, report)


def refuse_fixed_large_log(programs, report):
    """diffusers takes the root of a negative logarithm there; this program refuses the name."""
    case = dict(schedule="linear", steps=10, zero_snr=False, sampler="ancestral",
                scheduler=configuration("linear", "leading", 0, False, "epsilon", True, variance_type="fixed_large_log"))
    tensors = shared_tensors()
    x, _ = theirs(case, tensors, float64=True)
    write_json({"it": case}, programs.work / "cases.json")
    _, printed = programs.ask("scheduler", programs.work / "cases.json", tensors=tensors)
    if "fixed_large_log" not in json.loads(printed).get("it", ""):
        raise RuntimeError("fixed_large_log is not refused by name")
    report.deviation("fixed_large_log", x.isnan().float().mean(), 0.5,
                     "√ of a logarithm, NaN, in DDPMScheduler; refused by name here")
