"""Solvers: whole walks of every sampler over every spacing of noise levels and timesteps, by a network that looks at x and t.

diffusers rounds in float32, so its modules are run from their own text with float64 in its place. Both programs are given the
same levels: diffusers' grids differ from class to class and round t, which is looked at by itself. Noise before a step (churn)
and noise levels of the ancestral Euler sampler with any eta are k-diffusion's, whose sampling.py is run without its package.
"""
import ast
import importlib.util
import inspect
import itertools
import json
import pathlib
import types

import diffusers.schedulers as package
import numpy
import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

from schedulers import T, betas64
from tools import relative, write_json

SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
PREDICTIONS = ("epsilon", "sample", "v_prediction")
STEPS = (10, 7)
LIST = [999, 850, 700, 550, 400, 300, 200, 100, 40, 3]
SPACINGS = ("leading", "trailing", "linspace", "karras", "exponential", "list")
GUIDANCE = (dict(guidance_scale=3.0), dict(guidance_scale=3.0, guidance_rescale=0.7),
            dict(guidance_scale=3.0, guidance_interval=[0.3, 5.0]))
THRESHOLD = dict(threshold_ratio=0.9, threshold_max=1.5)


def in_float64(name, class_name):
    """A class of diffusers whose module is executed with float64 for float32."""
    module = importlib.import_module(f"diffusers.schedulers.{name}")
    copy = types.ModuleType(f"diffusers.schedulers.{name}_float64")
    copy.__package__, copy.__file__ = package.__name__, module.__file__
    exec(compile(inspect.getsource(module).replace("float32", "float64"), module.__file__, "exec"), copy.__dict__)
    return copy, getattr(copy, class_name)


def rescale_noise_cfg():
    """The function of diffusers' Stable Diffusion pipeline, whose module needs other packages."""
    root = pathlib.Path(importlib.util.find_spec("diffusers").submodule_search_locations[0])
    tree = ast.parse((root / "pipelines/stable_diffusion/pipeline_stable_diffusion.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "rescale_noise_cfg"]
    functions = dict(torch=torch)
    exec(compile(tree, "pipeline_stable_diffusion.py", "exec"), functions)
    return functions["rescale_noise_cfg"]


def k_diffusion_sampling():
    """The functions of k_diffusion/sampling.py, without the modules that other samplers there need."""
    spec = importlib.util.find_spec("k_diffusion")
    if spec is None:
        raise RuntimeError("k_diffusion is missing: pip install --no-deps -r tests/parity/requirements-alone.txt")
    text = (pathlib.Path(spec.submodule_search_locations[0]) / "sampling.py").read_text()
    unwanted = ("from scipy ", "from torchdiffeq ", "import torchsde", "from tqdm", "from . import utils")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(unwanted))
    functions = dict(trange=lambda n, disable=None: range(n),
                     utils=types.SimpleNamespace(append_dims=lambda x, dims: x.reshape(x.shape + (1,) * (dims - x.ndim))))
    exec(compile(text, "k_diffusion/sampling.py", "exec"), functions)
    return functions


def network(x, t):
    return (x * 1.7 + torch.tensor(float(t), dtype=torch.float32).double() / 500).sin()


RESCALE = rescale_noise_cfg()


def guided(sample, x, t, k):
    """The guided output at noise level k, as diffusers' pipelines with labels write it."""
    low, high = sample.get("guidance_interval", (0.0, float("inf")))
    scale = sample.get("guidance_scale", 1.0)
    conditional = network(x, t)
    if scale == 1 or not low < k <= high:
        return conditional
    empty = network(x + 0.3, t)
    output = empty + scale * (conditional - empty)
    if "guidance_rescale" in sample:
        output = RESCALE(output, conditional, sample["guidance_rescale"])
    return output


def cases():
    samplers = [dict(sampler="dpm++2m"), dict(sampler="dpmpp_2m_sde"), dict(sampler="heun"), dict(sampler="euler"),
                dict(sampler="euler_a"), dict(sampler="ddim", eta=0.5), dict(sampler="ancestral")]
    samplers += [dict(sampler="uni_pc", order=order) for order in (1, 2, 3)]
    samplers += [dict(sampler="heun", s_churn=40.0, s_tmin=0.05, s_tmax=20.0, s_noise=1.003)]
    for schedule, spacing, prediction, steps, sampler in itertools.product(SCHEDULES, SPACINGS, PREDICTIONS, STEPS, samplers):
        if schedule == "squaredcos_cap_v2" and spacing == "leading":
            continue  # begins where the picture is still seen
        if schedule == "squaredcos_cap_v2" and sampler["sampler"] == "heun" and spacing in ("trailing", "linspace", "list"):
            continue  # the first step goes from k = 20000 to about 6; there ours takes the mean of slopes over 1/k (src/sampling/heun.cpp)
        if spacing == "list" and steps != STEPS[0]:
            continue
        grid = dict(timesteps=LIST) if spacing == "list" else dict(steps=steps, timestep_spacing=spacing)
        yield dict(schedule=schedule, zero_snr=False, prediction=prediction, sample=sampler | grid | dict(clip=False))
        if spacing == "trailing" and sampler["sampler"] in ("dpm++2m", "uni_pc"):
            yield dict(schedule=schedule, zero_snr=False, prediction=prediction, sample=sampler | grid | THRESHOLD)
        if spacing == "trailing" and sampler == dict(sampler="heun"):
            yield dict(schedule=schedule, zero_snr=False, prediction=prediction, sample=sampler | grid | dict(clip=True))
    for schedule, prediction, guidance in itertools.product(SCHEDULES, PREDICTIONS, GUIDANCE):
        for name, spacing in (("euler", "karras"), ("dpm++2m", "trailing"), ("dpm++2m", "karras"), ("uni_pc", "trailing"), ("uni_pc", "karras")):
            yield dict(schedule=schedule, zero_snr=False, prediction=prediction,
                       sample=guidance | dict(sampler=name, steps=10, timestep_spacing=spacing, clip=False))
    for prediction in PREDICTIONS:  # without an upper bound the first steps' noise would go beyond the schedule
        beyond = dict(sampler="heun", s_churn=40.0, s_tmin=0.0, s_tmax=1e9, s_noise=1.0)
        yield dict(schedule="linear", zero_snr=False, prediction=prediction,
                   sample=beyond | dict(steps=10, timestep_spacing="karras", clip=False))
    for prediction, name in itertools.product(("sample", "v_prediction"), ("dpm++2m", "uni_pc", "euler")):
        yield dict(schedule="linear", zero_snr=True, prediction=prediction,
                   sample=dict(sampler=name, steps=10, timestep_spacing="trailing", clip=False))


class Theirs:
    """diffusers' classes in float64, and k-diffusion."""

    def __init__(self):
        self.dpm_module, self.dpm = in_float64("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler")
        _, self.unipc = in_float64("scheduling_unipc_multistep", "UniPCMultistepScheduler")
        _, self.heun = in_float64("scheduling_heun_discrete", "HeunDiscreteScheduler")
        _, self.euler = in_float64("scheduling_euler_discrete", "EulerDiscreteScheduler")
        self.euler_a_module, self.euler_a = in_float64("scheduling_euler_ancestral_discrete", "EulerAncestralDiscreteScheduler")
        self.k = k_diffusion_sampling()

    def scheduler(self, case, **more):
        """The class that does what a case asks for, with tables in float64; None where diffusers has none."""
        sample = case["sample"]
        name = sample["sampler"]
        if name in ("ddim", "ancestral") or sample.get("s_churn"):
            return None
        if name == "euler_a" and case["prediction"] == "sample":
            return None  # diffusers raises NotImplementedError
        config = dict(num_train_timesteps=T, trained_betas=betas64(case["schedule"]).tolist(), prediction_type=case["prediction"])
        if name == "heun" and sample.get("clip"):
            config |= dict(clip_sample=True)
        if "threshold_ratio" in sample:
            config |= dict(thresholding=True, dynamic_thresholding_ratio=sample["threshold_ratio"],
                           sample_max_value=sample["threshold_max"])
        if case["zero_snr"]:
            config |= dict(rescale_betas_zero_snr=True)
        if name == "uni_pc":
            return self.unipc(**config, solver_order=sample.get("order", 2), **more)
        if name.startswith("dpm"):
            return self.dpm(**config, algorithm_type="sde-dpmsolver++" if name == "dpmpp_2m_sde" else "dpmsolver++", **more)
        return dict(heun=self.heun, euler=self.euler, euler_a=self.euler_a)[name](**config, **more)

    def walk(self, case, scheduler, x, noise):
        """x_0 by a scheduler whose sigmas and timesteps are set."""
        name = case["sample"]["sampler"]
        scaled = name in ("heun", "euler", "euler_a")  # they walk x/α
        if scaled:
            x = x * (1 + scheduler.sigmas[0] ** 2).sqrt()
        for i, t in enumerate(scheduler.timesteps):
            output = guided(case["sample"], scheduler.scale_model_input(x, t) if scaled else x, t, scheduler.sigmas[i].item())
            if name == "euler_a":
                self.euler_a_module.randn_tensor = lambda *args, **kwargs: noise[i]
            more = dict(variance_noise=noise[i]) if name == "dpmpp_2m_sde" else {}
            x = scheduler.step(output, t, x, **more).prev_sample
        return x

    def by_k_diffusion(self, case, table, k, x, noise):
        sample = case["sample"]
        log_k = numpy.log(table)

        def denoised(y, sigma):
            sigma = sigma[0]
            alpha = 1 / (1 + sigma**2).sqrt()
            output = network(y * alpha, numpy.interp(sigma.log().item(), log_k, numpy.arange(T)))
            return dict(epsilon=y - sigma * output, sample=output,
                        v_prediction=alpha * (y * alpha) - sigma * alpha * output)[case["prediction"]]

        sigmas = torch.cat([k, k.new_zeros([1])])
        y = x * (1 + k[0] ** 2).sqrt()
        if sample["sampler"] == "heun":
            draws = iter(noise)
            self.k["torch"] = Patched(torch, randn_like=lambda like: next(draws))
            churn = {key: sample[key] for key in ("s_churn", "s_tmin", "s_tmax", "s_noise")}
            return self.k["sample_heun"](denoised, y, sigmas, **churn)
        draws = iter(noise)
        return self.k["sample_euler_ancestral"](denoised, y, sigmas, eta=sample.get("eta", 1.0),
                                                noise_sampler=lambda *_: next(draws))


class Patched:
    """A module with some of its functions replaced."""

    def __init__(self, module, **replaced):
        self.module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name):
        return getattr(self.module, name)


def set_grid(scheduler, k, t, heun):
    """Sigmas and timesteps as given, after set_timesteps has prepared everything else."""
    scheduler.set_timesteps(len(k))
    sigmas = torch.cat([k, k.new_zeros([1])])
    if heun:
        sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
        t = torch.cat([t[:1], t[1:].repeat_interleave(2)])
    scheduler.sigmas, scheduler.timesteps = sigmas, t
    scheduler.set_begin_index(0)


def table_of(case):
    betas = betas64(case["schedule"])
    bar = torch.cumprod(1 - (rescale_zero_terminal_snr(betas) if case["zero_snr"] else betas), 0)
    return ((1 - bar) / bar).sqrt().numpy()


def compare_grid(theirs, case, k, t, table, report):
    """Levels against diffusers' own, before it rounds their t."""
    spacing, scheduler = case["sample"].get("timestep_spacing"), theirs.dpm()
    convert = dict(karras=scheduler._convert_to_karras, exponential=scheduler._convert_to_exponential).get(spacing)
    if convert is None:
        report("noise levels at timesteps", relative(k, torch.from_numpy(table[t.long().numpy()])), 1e-10)
        return
    sigmas = convert(in_sigmas=torch.from_numpy(table).flip(0), num_inference_steps=len(k))
    times = scheduler._sigma_to_t(sigmas, numpy.log(table))
    report(f"noise levels, {spacing}", relative(k, torch.from_numpy(sigmas)), 1e-10)
    report(f"timesteps between whole numbers, {spacing}", relative(t, torch.from_numpy(times)), 1e-10)


def row_of(case):
    sample = case["sample"]
    name = dict(uni_pc=f"unipc {sample.get('order', 2)}", ddim=f"ddim, eta {sample.get('eta')}").get(sample["sampler"], sample["sampler"])
    kind = "thresholded" if "threshold_ratio" in sample else "clipped" if sample.get("clip") else "with churn" if sample.get("s_churn") else ""
    if "guidance_scale" in sample:
        kind = "guided" + "".join(f", {key}" for key in ("rescale", "interval") if f"guidance_{key}" in sample)
    return f"{name}{' ' if kind else ''}{kind}, {sample.get('timestep_spacing', 'a list')}"


def compare_own_grids(theirs, cases_and_results, x_T, noise, report):
    """What diffusers makes of its own karras and exponential grids."""
    reasons = {"karras": "rounded", "exponential": "cut off"}
    for case, ours in cases_and_results:
        sample = case["sample"]
        spacing, name = sample.get("timestep_spacing"), sample["sampler"]
        if spacing not in reasons or case["schedule"] != "linear" or case["zero_snr"] or "guidance_scale" in sample:
            continue
        if name in ("heun", "euler") and not sample.get("s_churn"):
            scheduler = theirs.scheduler(case, **{f"use_{spacing}_sigmas": True}, timestep_spacing="linspace")
            scheduler.set_timesteps(sample["steps"])
            report(f"{name}, {spacing}, diffusers' own grid", relative(ours, theirs.walk(case, scheduler, x_T, noise)), 1e-10)
        elif name in ("dpm++2m", "uni_pc"):
            scheduler = theirs.scheduler(case, **{f"use_{spacing}_sigmas": True})
            scheduler.set_timesteps(sample["steps"])
            report.deviation(f"{name}, {spacing}, diffusers' own grid", relative(ours, theirs.walk(case, scheduler, x_T, noise)), 1e-6,
                             f"t lies between whole numbers there; diffusers tells the network a t that is {reasons[spacing]}")


def run(programs, report):
    named = {f"case{number}": case for number, case in enumerate(cases())}
    generator = torch.Generator().manual_seed(2)
    x_T, noise = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 3, 4, 5), (10, 2, 3, 4, 5)))
    scheduler_of = lambda case: dict(_class_name="DDPMScheduler", num_train_timesteps=T, beta_schedule=case["schedule"],
                                     prediction_type=case["prediction"], rescale_betas_zero_snr=case["zero_snr"])
    cases_file = programs.work / "cases.json"
    write_json({name: dict(scheduler=scheduler_of(case), sample=case["sample"]) for name, case in named.items()}, cases_file)
    results, printed = programs.ask("solver", cases_file, tensors=dict(x_T=x_T, step_noise=noise))
    if json.loads(printed):
        raise RuntimeError(f"refused: {printed[:1000]}")
    theirs, compared = Theirs(), []
    for name, case in named.items():
        ours, k, t = (results[f"{name}/{key}"] for key in ("x", "k", "t"))
        table = table_of(case)
        scheduler = theirs.scheduler(case)
        if case["zero_snr"]:
            set_grid(scheduler, torch.from_numpy(numpy.interp(t.numpy(), numpy.arange(T), scheduler_table(scheduler))), t, False)
            report.deviation(f"{case['sample']['sampler']}, zero SNR", relative(ours, theirs.walk(case, scheduler, x_T, noise)), 1e-7,
                             "diffusers begins at ᾱ = 2⁻²⁴ there, and takes the step from it for one of finite length")
            continue
        compare_grid(theirs, case, k, t, table, report)
        if scheduler is None:
            reached = theirs.by_k_diffusion(case, table, k, x_T, noise)
            if case["sample"].get("s_tmax") == 1e9:
                report.deviation("heun, churn beyond the schedule (k-diffusion)", relative(ours, reached), 1e-3,
                                 "k-diffusion adds noise beyond the last t, where no network has been trained; here k ends there")
            else:
                report(row_of(case) + " (k-diffusion)", relative(ours, reached), 1e-10)
        else:
            set_grid(scheduler, k, t, case["sample"]["sampler"] == "heun")
            report(row_of(case), relative(ours, theirs.walk(case, scheduler, x_T, noise)), 1e-10)
        compared.append((case, ours))
    compare_own_grids(theirs, compared, x_T, noise, report)


def scheduler_table(scheduler):
    return ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().numpy()
