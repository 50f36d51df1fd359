"""What the comparisons of editing share: the tensors that both programs are shown, and asking ours for a table of cases."""
import json

import torch

from schedulers import T, betas64
from tools import write_json

BOUND = 1e-10
SHAPE = (2, 3, 4, 5)
SHORT = torch.linspace(1e-3, 0.4, 40, dtype=torch.float64)  # betas of a schedule whose every t RePaint visits


def scheduler_json(case):
    rule = dict(trained_betas=SHORT.tolist()) if case["schedule"] == "short" else dict(beta_schedule=case["schedule"])
    return rule | dict(_class_name="DDPMScheduler", num_train_timesteps=size_of(case), prediction_type=case["prediction"],
                       rescale_betas_zero_snr=case.get("zero_snr", False))


def size_of(case):
    return len(SHORT) if case["schedule"] == "short" else T


def betas_of(case):
    return SHORT if case["schedule"] == "short" else betas64(case["schedule"])


def bar_of(case):
    return torch.cumprod(1 - betas_of(case), 0)


def ask(programs, verb, cases, tensors):
    """Our results of the cases, each of which is what ddpm_parity reads beside what diffusers needs."""
    ours = ("sample", "evaluations", "from_t_0", "strength", "from_t", "mask", "repaint", "raw_eps")
    write_json({name: dict(scheduler=scheduler_json(case)) | {key: case[key] for key in ours if key in case}
                for name, case in cases.items()}, programs.work / "cases.json")
    results, printed = programs.ask(verb, programs.work / "cases.json", tensors=tensors)
    if json.loads(printed):
        raise RuntimeError(f"refused: {printed[:1000]}")
    return results


def numbered(cases):
    return {f"case{number}": case for number, case in enumerate(cases)}


def shared_tensors():
    generator = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    mask = torch.zeros(SHAPE[2:], dtype=torch.float64)
    mask[:2], mask[2, :3] = 1, 0.5
    return dict(picture=draw(*SHAPE).clamp(-1, 1), x_T=draw(*SHAPE), step_noise=draw(2410, *SHAPE),
                known_noise=draw(2410, *SHAPE), mask=mask)


def on_levels(cls, k, prediction):
    """A scheduler whose table is the walk's levels, noisiest first in k. Its timesteps S−1 … 0 stand for theirs."""
    scheduler = cls(num_train_timesteps=len(k), clip_sample=False, prediction_type=prediction)
    scheduler.alphas_cumprod = (1 / (1 + k**2)).flip(0)
    scheduler.set_timesteps(len(k))
    return scheduler
