"""Averages after the fact: the folder of `ddpm ema`, opened by diffusers, against the least squares of Karras et al. 2024 (arXiv
2312.02696, algorithm 3) in NumPy over the same snapshots."""
import re

import numpy
import torch
from diffusers import DDPMPipeline
from safetensors import safe_open
from safetensors.torch import load_file

import samples


def power(width):
    roots = numpy.roots([1, 7, 16 - width ** -2, 12 - width ** -2])
    return roots.real[abs(roots.imag) < 1e-9].max()


def product(t_a, power_a, t_b, power_b):
    """Broadcasts: the inner product of two profiles."""
    ratio = t_a / t_b
    exponent = numpy.where(t_a < t_b, power_b, -power_a)
    return (power_a + 1) * (power_b + 1) * ratio ** exponent / ((power_a + power_b + 1) * numpy.maximum(t_a, t_b))


def rebuilt(folder, width, step):
    """The average of the snapshots in ema/, as float64 tensors."""
    files = sorted(folder.glob("*.safetensors"))
    files = [file for file in files if int(re.match(r"step-(\d+)-", file.name)[1]) <= step]
    told = [safe_open(file, "pt").metadata() for file in files]
    t, powers = (numpy.array([float(one[key]) for one in told]) for key in ("updates", "gamma"))
    grams = product(t[:, None], powers[:, None], t[None], powers[None])
    weights = numpy.linalg.solve(grams, product(t, powers, float(step), power(width)))
    weights /= weights.sum()
    total = {}
    for file, weight in zip(files, weights):
        for name, tensor in load_file(file).items():
            total[name] = total.get(name, 0) + weight * tensor.double()
    return total


def run(programs, report, checkpoint):
    """checkpoint: the last one of a run of this program with train.ema_widths."""
    folder = checkpoint.parent.parent
    last = int(checkpoint.name.split("-")[1])
    first = int(min(folder.glob("ema/*.safetensors")).name.split("-")[1])
    for width, step in ((0.075, last), (0.15, last), (0.1, last), (0.08, 6 * first)):
        out = programs.work / f"average-{width}"
        programs.run(programs.program, "ema", folder, "--width", width, "--step", step, "--out", out, "--overwrite", "--quiet")
        theirs = DDPMPipeline.from_pretrained(str(out)).unet.state_dict()
        expected = rebuilt(folder / "ema", width, step)
        if theirs.keys() != expected.keys():
            raise RuntimeError(f"{out}: other tensors than the snapshots have")
        worst = max((theirs[name].double() - tensor).abs().max().item() for name, tensor in expected.items())
        report("averages after the fact: a weight of `ddpm ema` in diffusers against NumPy", worst, 1e-6)
    g = torch.Generator().manual_seed(1)
    noise = dict(x_T=torch.randn(8, 3, 16, 16, generator=g), noise=torch.randn(samples.STEPS, 8, 3, 16, 16, generator=g))
    samples.compare(programs, report, "an average of `ddpm ema`", programs.work / "average-0.075", noise)
