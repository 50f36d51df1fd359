#!/usr/bin/env python3
"""Compares learning in bf16 with learning in fp32. It runs `ddpm train` with configs/shapes.json in both, with the same seeds (so
with the same batches, times and noise), and shows the losses side by side, as a table and as docs/images/bf16.png.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess

from PIL import Image, ImageDraw, ImageFont

ROOT = pathlib.Path(__file__).parent.parent
PARTS = 10
REACH = 50  # the moving average in the picture is over this many steps
BLUE, ORANGE, GREY, PALE = "#1f77b4", "#ff7f0e", "#444444", "#dddddd"


def losses(a, precision, seed):
    out = a.build / "learning" / f"{precision}-{seed}"
    if not a.draw:
        subprocess.run([a.build / "ddpm", "train", "--config", ROOT / "configs" / "shapes.json", "--out", out, "--overwrite",
                        "--set", f"train.precision={precision}", "--set", f"seed={seed}", "--set", f"train.steps={a.steps}",
                        "--set", "train.sample_images=0", "--set", "train.checkpoint_every=0"], check=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def smooth(values):
    decay, mean, weight, out = 1 - 1 / REACH, 0, 0, []
    for value in values:
        mean, weight = decay * mean + (1 - decay) * value, decay * weight + (1 - decay)
        out.append(mean / weight)
    return out


class Panel:
    """Axes from 0 to `last` steps and from `low` to `high`, with a grid line and a number every `unit`."""

    def __init__(self, draw, font, box, last, low, high, unit, form):
        self.draw, self.box, self.last, self.low, self.high = draw, box, last, low, high
        left, top, right, bottom = box
        for k in range(math.ceil(low / unit - 1e-9), math.floor(high / unit + 1e-9) + 1):
            y = self.place(0, k * unit)[1]
            draw.line([(left, y), (right, y)], fill=GREY if k == 0 else PALE)
            draw.text((left - 8, y), form.format(k * unit), fill=GREY, font=font, anchor="rm")
        for step in range(0, last + 1, last // 4):
            x = self.place(step, low)[0]
            draw.line([(x, top), (x, bottom)], fill=PALE)
            draw.text((x, bottom + 6), f"{step:,}", fill=GREY, font=font, anchor="ma")
        draw.rectangle(box, outline=GREY)

    def place(self, step, value):
        left, top, right, bottom = self.box
        share = (value - self.low) / (self.high - self.low)
        return left + step / self.last * (right - left), bottom - share * (bottom - top)

    def curve(self, values, colour, width=2):
        """Draws a curve without the parts above or below the box."""
        points = [self.place(step + 1, value) if self.low <= value <= self.high else None for step, value in enumerate(values)]
        for a, b in zip(points, points[1:]):
            if a and b:
                self.draw.line([a, b], fill=colour, width=width)


def picture(runs, seeds, path):
    """Draws the losses, and below them how far those of bf16 are from those of fp32 with the same seed."""
    curves = {key: smooth(run) for key, run in runs.items()}
    last = len(curves["fp32", 0])
    image = Image.new("RGB", (1010, 650), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15)
    high = math.ceil(30 * max(curve[-1] for curve in curves.values())) / 10  # three times the last loss
    draw.text((70, 14), f"training loss, mean over about {REACH} steps", fill=GREY, font=font)
    top = Panel(draw, font, (70, 40, 980, 340), last, 0, high, 0.1, "{:.1f}")
    for x, text, colour, width in ((620, "fp32", BLUE, 5), (720, "bf16", ORANGE, 2)):
        draw.line([(x, 23), (x + 30, 23)], fill=colour, width=width)
        draw.text((x + 38, 14), text, fill=GREY, font=font)
    draw.text((830, 14), f"{seeds} seeds each", fill=GREY, font=font)
    for seed in range(seeds):
        top.curve(curves["fp32", seed], BLUE, 5)
    for seed in range(seeds):
        top.curve(curves["bf16", seed], ORANGE)
    apart = [[100 * (b / f - 1) for f, b in zip(curves["fp32", seed], curves["bf16", seed])] for seed in range(seeds)]
    reach = math.ceil(max(abs(value) for curve in apart for value in curve))
    draw.text((70, 384), "bf16 above fp32 of the same seed, percent", fill=GREY, font=font)
    below = Panel(draw, font, (70, 410, 980, 600), last, -reach, reach, max(1, reach // 2), "{:.0f}")
    for curve in apart:
        below.curve(curve, ORANGE)
    draw.text((525, 628), "step", fill=GREY, font=font, anchor="ma")
    image.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="where ddpm lies, and the runs go")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draw", action="store_true", help="of the runs that are there")
    a = parser.parse_args()
    runs = {(p, seed): losses(a, p, seed) for seed in range(a.seeds) for p in ("fp32", "bf16")}
    part = a.steps // PARTS
    print("| steps | fp32, mean of the seeds | its spread over seeds | bf16 | bf16 − fp32 of the same seed, mean |\n|---|---|---|---|---|")
    for k in range(PARTS):
        means = {key: statistics.fmean(run[k * part:(k + 1) * part]) for key, run in runs.items()}
        of = lambda p: [means[p, seed] for seed in range(a.seeds)]
        differences = [b - f for b, f in zip(of("bf16"), of("fp32"))]
        print(f"| {k * part + 1} – {(k + 1) * part} | {statistics.fmean(of('fp32')):.4f} | {statistics.stdev(of('fp32')):.4f} | "
              f"{statistics.fmean(of('bf16')):.4f} | {statistics.fmean(differences):+.4f} |")
    picture(runs, a.seeds, ROOT / "docs" / "images" / "bf16.png")


if __name__ == "__main__":
    main()
