#!/usr/bin/env python3
"""Whether bf16 learns as fp32 does: `ddpm train` of configs/shapes.json in both, with the same seeds (so the same batches,
times and noise), and their losses side by side as a table and as docs/images/bf16.png.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

from PIL import Image, ImageDraw

ROOT = pathlib.Path(__file__).parent.parent
PARTS = 10


def losses(a, precision, seed):
    out = a.build / "learning" / f"{precision}-{seed}"
    subprocess.run([a.build / "ddpm", "train", "--config", ROOT / "configs" / "shapes.json", "--out", out, "--overwrite",
                    "--set", f"train.precision={precision}", "--set", f"seed={seed}", "--set", f"train.steps={a.steps}",
                    "--set", "train.sample_images=0", "--set", "train.checkpoint_every=0"], check=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def smooth(values, decay=0.98):
    mean, weight, out = 0, 0, []
    for value in values:
        mean, weight = decay * mean + (1 - decay) * value, decay * weight + (1 - decay)
        out.append(mean / weight)
    return out


def picture(curves, path):
    """Smoothed losses, fp32 blue and bf16 orange, both axes linear from 0 to twice the last loss."""
    width, height, margin = 900, 420, 30
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    top = 2 * max(curve[-1] for _, curve in curves)
    for i in range(5):
        y = height - margin - i * (height - 2 * margin) / 4
        draw.line([(margin, y), (width - margin, y)], fill="#dddddd")
        draw.text((2, y - 6), f"{top * i / 4:.2f}", fill="#444444")
    for precision, curve in curves:
        step = (width - 2 * margin) / (len(curve) - 1)
        points = [(margin + i * step, height - margin - min(value / top, 1.05) * (height - 2 * margin)) for i, value in enumerate(curve)]
        draw.line(points, fill="#1f77b4" if precision == "fp32" else "#ff7f0e", width=1)
    draw.text((width // 2 - 160, height - 20), f"step 0 to {len(curves[0][1])}; blue fp32, orange bf16, one line a seed", fill="#444444")
    image.save(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
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
    picture([(p, smooth(run)) for (p, _), run in runs.items()], ROOT / "docs" / "images" / "bf16.png")


if __name__ == "__main__":
    main()
