#!/usr/bin/env python3
"""Compares this program live with diffusers (networks, schedulers, solvers, editing, samples, training), TensorBoard (event files) and the
packages that judge samples. Prints a table and fails if a row does not hold.

    parity.py --program ddpm --parity ddpm_parity --work FOLDER [--table FILE.md] [--only networks|schedulers|…]
"""
import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import torchvision_alone  # noqa: E402

# diffusers imports transformers where that is installed, and with it torchvision.
torchvision_alone.prepare()

import diffusers  # noqa: E402
import torch  # noqa: E402

import averages  # noqa: E402
import convert_parity  # noqa: E402
import editing  # noqa: E402
import inception  # noqa: E402
import judging  # noqa: E402
import networks  # noqa: E402
import ordering  # noqa: E402
import samples  # noqa: E402
import schedulers  # noqa: E402
import solvers  # noqa: E402
import statistics_files  # noqa: E402
import tensorboard_files  # noqa: E402
import training  # noqa: E402
import vits  # noqa: E402
from report import Report  # noqa: E402
from tools import Programs  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def briefly_trained(programs, name="run", *more):
    """A checkpoint of this program: a few steps of the quickstart, so that the network does something."""
    run = programs.work / name
    programs.run(programs.program, "train", "--config", ROOT / "configs" / "shapes.json", "--out", run, "--overwrite",
                 "--quiet", "--device", "cpu", "--set", "train.steps=200", "--set", "train.sample_images=0",
                 "--set", "train.checkpoint_every=0", *more)
    return run / "checkpoints" / "step-000200"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--parity", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    programs = Programs(arguments.program.resolve(), arguments.parity.resolve(), arguments.work.resolve())
    report = Report()
    parts = {
        "networks": lambda: networks.run(programs, report),
        "schedulers": lambda: schedulers.run(programs, report),
        "solvers": lambda: solvers.run(programs, report),
        "editing": lambda: editing.run(programs, report),
        "samples": lambda: samples.run(programs, report, briefly_trained(programs),
                                       briefly_trained(programs, "learned", "--set", "diffusion.variance_type=learned_range")),
        "training": lambda: training.run(programs, report),
        "averages": lambda: averages.run(programs, report,
                                         briefly_trained(programs, "averaged", "--set", "train.ema_widths=[0.05, 0.1]")),
        "tensorboard": lambda: tensorboard_files.run(programs, report, ROOT / "configs" / "shapes.json"),
        "statistics": lambda: statistics_files.run(programs, report, ROOT / "configs" / "shapes.json"),
        "judging": lambda: judging.run(programs, report),
        "ordering": lambda: ordering.run(programs, report),
        "inception": lambda: inception.run(programs, report),
        "vits": lambda: vits.run(programs, report),
        "convert": lambda: convert_parity.run(programs.program, programs.work / "convert", report),
    }
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    for name, part in parts.items():
        if arguments.only in (None, name):
            start = time.monotonic()
            part()
            print(f"    {name}: {time.monotonic() - start:.0f} s", flush=True)
    table = report.markdown()
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}\n\n{table}")
    if arguments.table:
        arguments.table.write_text(table)
    held = sum(row["held"] for row in report.rows.values())
    print(f"parity: {held} passed, {len(report.rows) - held} failed")
    return 0 if report.held() else 1


if __name__ == "__main__":
    sys.exit(main())
