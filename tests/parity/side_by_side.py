#!/usr/bin/env python3
"""Draws the same noise by this program and by diffusers, one row each, for a run of ours and for a fresh random model of
diffusers, into one picture.

    side_by_side.py --program ddpm --ckpt runs/shapes/checkpoints/step-003800 --out docs/images/side-by-side.png
"""
import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import diffusers  # noqa: E402
import torch  # noqa: E402
from diffusers import DDPMPipeline, DDPMScheduler  # noqa: E402
from PIL import Image  # noqa: E402

from samples import STEPS, bytes_of, draw_ours, draw_theirs, random_pipeline  # noqa: E402
from tools import Programs  # noqa: E402

COUNT, SCALE, GAP = 12, 4, 2


def row(x):
    """[N,3,H,W] → one picture, enlarged."""
    pixels = bytes_of(x).byte().permute(0, 2, 3, 1)
    tiles = [Image.fromarray(p.numpy()).resize((p.shape[1] * SCALE, p.shape[0] * SCALE), Image.NEAREST) for p in pixels]
    strip = Image.new("RGB", (len(tiles) * (tiles[0].width + GAP) - GAP, tiles[0].height), "white")
    for i, tile in enumerate(tiles):
        strip.paste(tile, (i * (tile.width + GAP), 0))
    return strip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--ckpt", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    diffusers.utils.logging.disable_progress_bar()
    strips = []
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(arguments.program.resolve(), None, pathlib.Path(folder))
        fresh = programs.work / "fresh"
        random_pipeline(fresh, DDPMScheduler())
        for checkpoint in (arguments.ckpt, fresh):
            pipeline = DDPMPipeline.from_pretrained(str(checkpoint))
            size = pipeline.unet.config.sample_size
            g = torch.Generator().manual_seed(5)
            noise = dict(x_T=torch.randn(COUNT, 3, size, size, generator=g),
                         noise=torch.randn(STEPS, COUNT, 3, size, size, generator=g))
            ours = draw_ours(programs, checkpoint.resolve(), "ancestral", 0.0, True, noise)
            theirs = draw_theirs(pipeline, "ancestral", 0.0, True, noise)
            worst = (bytes_of(ours) - bytes_of(theirs)).abs().max().item()
            print(f"{checkpoint}: largest difference {worst:.0f} of 255")
            strips += [row(ours), row(theirs)]
    sheet = Image.new("RGB", (strips[0].width, sum(s.height + 2 * GAP for s in strips)), "white")
    y = 0
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height + 2 * GAP
    sheet.save(arguments.out)


if __name__ == "__main__":
    main()
