"""Editing: DDIM inversion, walks that begin with a picture, masks and RePaint, by the network of the solvers' walks.

diffusers' modules are run in float64, as in solvers.py, and are shown the same pictures and noise. Where a class of diffusers finds
the next level by T // S, which is right for some grids alone, it is also given a table that holds only the walk's levels, so that
it steps from each to the next.
"""
import itertools
import math

import torch

import inversion
import repaint
from edit_cases import BOUND, ask, bar_of, numbered, on_levels, shared_tensors
from schedulers import T, betas64
from solvers import PREDICTIONS, SCHEDULES, in_float64, network, set_grid
from tools import relative

STARTS = [dict(sampler="ddim", eta=0.0), dict(sampler="ddim", eta=0.5), dict(sampler="ancestral"), dict(sampler="dpmpp_2m"),
          dict(sampler="dpmpp_2m_sde"), *(dict(sampler="unipc", order=order) for order in (1, 2, 3)), dict(sampler="heun")]


def start_cases():
    for schedule, prediction, sampler in itertools.product(SCHEDULES, PREDICTIONS, STARTS):
        name = sampler["sampler"]
        spacing = "leading" if name in ("ddim", "ancestral") else "trailing"
        shared = dict(schedule=schedule, prediction=prediction)
        grid = dict(timestep_spacing=spacing, clip=False)
        for steps, strength in itertools.product((10, 7, 50), (0.35, 0.6, 1.0)):
            if schedule == "squaredcos_cap_v2" and name == "heun" and strength == 1:
                continue  # the first step goes from k = 20000 to about 6, where the slopes' mean leaves no ten digits of either program
            yield shared | dict(strength=strength, sample=sampler | grid | dict(steps=steps))
        yield shared | dict(strength=0.58, sample=sampler | grid | dict(steps=50))
        if name != "heun":
            yield shared | dict(strength=0.6, mask=True, sample=sampler | grid | dict(steps=10))
        for from_t in (450, 300, 299):  # between times of the walk, and one of them
            yield shared | dict(from_t=from_t, sample=sampler | grid | dict(steps=10))


class Starts:
    """The loop of diffusers' pipelines from a picture: timesteps cut at an index, that index as the first, add_noise there, and after
    each step what a mask keeps."""

    def __init__(self):
        self.ddpm_module, self.ddpm = in_float64("scheduling_ddpm", "DDPMScheduler")
        _, self.ddim = in_float64("scheduling_ddim", "DDIMScheduler")
        _, self.dpm = in_float64("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler")
        _, self.unipc = in_float64("scheduling_unipc_multistep", "UniPCMultistepScheduler")
        _, self.heun = in_float64("scheduling_heun_discrete", "HeunDiscreteScheduler")

    def scheduler(self, case):
        sample, name = case["sample"], case["sample"]["sampler"]
        config = dict(num_train_timesteps=T, trained_betas=betas64(case["schedule"]).tolist(), prediction_type=case["prediction"],
                      timestep_spacing=sample["timestep_spacing"])
        if name in ("ancestral", "ddim"):
            return dict(ancestral=self.ddpm, ddim=self.ddim)[name](**config, clip_sample=False)
        if name == "unipc":
            return self.unipc(**config, solver_order=sample["order"])
        if name == "heun":
            return self.heun(**config)
        return self.dpm(**config, algorithm_type="sde-dpmsolver++" if name == "dpmpp_2m_sde" else "dpmsolver++")

    def walk(self, case, scheduler, begin, tensors, told=None):
        """From step `begin` of S on. told: the t that the network gets, by default the timesteps."""
        sample, name = case["sample"], case["sample"]["sampler"]
        timesteps = scheduler.timesteps[begin * scheduler.order:]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(begin * scheduler.order)
        picture = tensors["picture"]
        x = scheduler.add_noise(picture, tensors["x_T"], timesteps[:1])
        for i, t in enumerate(timesteps):
            output = network(scheduler.scale_model_input(x, t), t if told is None else told[i])
            z, more = tensors["step_noise"][i], {}
            self.ddpm_module.randn_tensor = lambda *args, **kwargs: z
            if name == "dpmpp_2m_sde":
                more = dict(variance_noise=z)
            if name == "ddim":
                more = dict(eta=sample["eta"], variance_noise=z if sample["eta"] > 0 else None)
            x = scheduler.step(output, t, x, **more).prev_sample
            if "mask" in case:
                known = picture
                if i + 1 < len(timesteps):
                    known = scheduler.add_noise(picture, tensors["known_noise"][i], timesteps[i + 1:i + 2])
                x = tensors["mask"] * known + (1 - tensors["mask"]) * x
        return x

    def from_t(self, case, k, t, tensors):
        """All steps of a list that begins at a level of its own."""
        name, scheduler, told = case["sample"]["sampler"], self.scheduler(case), None
        if name == "ddim":
            scheduler, told = on_levels(self.ddim, k, case["prediction"]), t
        elif name == "ancestral":
            scheduler.set_timesteps(timesteps=t.long().tolist())
        else:
            set_grid(scheduler, k, t, name == "heun")
        return self.walk(case, scheduler, 0, tensors, told)


def start_row(case):
    sample = case["sample"]
    name = dict(unipc=f"unipc {sample.get('order')}", ddim=f"ddim, eta {sample.get('eta')}").get(sample["sampler"], sample["sampler"])
    return f"from a picture: {name}, " + ("from a t" if "from_t" in case else "by strength") + (", with a mask" if "mask" in case else "")


def compare_starts(programs, report, tensors):
    starts = Starts()
    cases = numbered(start_cases())
    results = ask(programs, "edit", cases, tensors)
    for name, case in cases.items():
        ours, k, t = (results[f"{name}/{key}"] for key in ("x", "k", "t"))
        if "from_t" in case:
            scheduler = starts.scheduler(case)
            scheduler.set_timesteps(case["sample"]["steps"])
            whole = sorted(set(scheduler.timesteps.tolist()), reverse=True)
            t = torch.tensor([case["from_t"], *(other for other in whole if other < case["from_t"])], dtype=torch.float64)
            bar = bar_of(case)[t.long()]
            report(start_row(case), relative(ours, starts.from_t(case, ((1 - bar) / bar).sqrt(), t, tensors)), BOUND)
            continue
        steps, strength = case["sample"]["steps"], case["strength"]
        taken = min(math.floor(steps * strength + 1e-9), steps)
        if strength == 0.58:
            report.deviation("from a picture: steps of strength 0.58 of 50", len(k) - int(steps * strength), 1,
                             "diffusers takes int(50 · 0.58) steps, and that product is 28.999… after rounding; here they are 29")
        scheduler = starts.scheduler(case)
        scheduler.set_timesteps(steps)
        difference = relative(ours, starts.walk(case, scheduler, steps - taken, tensors))
        if "mask" in case and case["sample"]["sampler"] == "unipc":
            report.deviation("from a picture: unipc, by strength, with a mask", difference, 1e-6,
                             "UniPCMultistepScheduler corrects x_t by computing the step anew from where it began, which undoes what the mask "
                             "has put there; here the correction is added to x_t")
        else:
            report(start_row(case), difference, BOUND)


def run(programs, report):
    tensors = shared_tensors()
    inversion.compare(programs, report, tensors)
    compare_starts(programs, report, tensors)
    repaint.compare(programs, report, tensors)
