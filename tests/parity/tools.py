"""What the comparisons share: running both programs, and distances."""
import json
import subprocess

import torch
import torchvision_alone

torchvision_alone.prepare()
from diffusers import DDPMPipeline, DDPMScheduler
from safetensors.torch import load_file, save_file


class Programs:
    """The program under test and its parity executable."""

    def __init__(self, program, parity, work):
        self.program, self.parity, self.work = program, parity, work

    def run(self, executable, *arguments):
        result = subprocess.run([str(executable), *map(str, arguments)], capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: exit code {result.returncode}\n{result.stderr}")
        return result.stdout

    def ask(self, verb, *arguments, tensors=None):
        """Runs `ddpm_parity VERB ARGUMENTS… [IN] OUT`; returns the tensors of OUT and what it printed."""
        out = self.work / "out.safetensors"
        more = []
        if tensors is not None:
            save(tensors, self.work / "in.safetensors")
            more.append(self.work / "in.safetensors")
        # OUT comes last, but for `network`, whose dtype and kernels follow it.
        leading, trailing = (arguments[:1], arguments[1:]) if verb == "network" else (arguments, ())
        printed = self.run(self.parity, verb, *leading, *more, out, *trailing)
        return load_file(out), printed


def save(tensors, path):
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}, str(path))


def relative(ours, theirs, floor=0.0):
    """Largest difference over the largest value of `theirs` (at least `floor`)."""
    scale = max(theirs.abs().max().item(), floor)
    difference = (ours.double() - theirs.double()).abs().max().item()
    return difference / scale if scale > 0 else difference


def relative_rms(ours, theirs, floor=0.0):
    """RMS of the difference over the RMS of `theirs` (at least `floor`)."""
    scale = max(theirs.double().square().mean().sqrt().item(), floor)
    difference = (ours.double() - theirs.double()).square().mean().sqrt().item()
    return difference / scale if scale > 0 else difference


def randomize(module, seed):
    """No weight stays zero or one: what a default initialisation leaves there would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 0.2 if parameter.dim() < 2 else 0.5 / parameter[0].numel() ** 0.5
            parameter += scale * torch.randn(parameter.shape, generator=generator)
    return module


def save_pipeline(unet, folder, scheduler=None):
    DDPMPipeline(unet, scheduler or DDPMScheduler()).save_pretrained(str(folder))


def write_json(value, path):
    path.write_text(json.dumps(value, indent=2))
