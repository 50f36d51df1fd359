#!/usr/bin/env python3
"""Time Pillow reading a folder of pictures as torchvision's usual transforms do: RGB, the shorter side resized with
antialiasing, centre crop, to float in [-1, 1]. One JSON line: milliseconds for a batch.

  bench_loading.py --images FOLDER --size 64 --batch 64 --workers 2
  bench_loading.py --images FOLDER --make 256 [--width 640 --height 480]      fills FOLDER with JPEGs instead
"""
import argparse, json, os, pathlib, resource, statistics, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
from PIL import Image


def make(folder, count, width, height):
    """Smooth random pictures with some noise: at 640 × 480 about 60 kB each, as photographs of that size are."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
        pixels = np.asarray(coarse, dtype=np.int16) + random.integers(-12, 13, (height, width, 1))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:04d}.jpg", quality=85)


def load(path, size):
    image = Image.open(path).convert("RGB")
    scale = size / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.BICUBIC)
    left, top = ((side - size) // 2 for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32)
    return pixels.transpose(2, 0, 1) / 127.5 - 1


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--images", type=pathlib.Path, required=True)
    p.add_argument("--make", type=int, default=0)
    p.add_argument("--width", type=int, default=640)
    p.add_argument("--height", type=int, default=480)
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--processes", action="store_true")
    p.add_argument("--steps", type=int, default=12)
    a = p.parse_args()
    if a.make:
        make(a.images, a.make, a.width, a.height)
        return
    paths = sorted(a.images.glob("*.jpg"))
    times = []
    with (ProcessPoolExecutor if a.processes else ThreadPoolExecutor)(a.workers) as pool:
        for k in range(a.steps + 2):
            batch = [paths[(k * a.batch + i) % len(paths)] for i in range(a.batch)]
            start = time.perf_counter()
            np.stack(list(pool.map(load, batch, [a.size] * a.batch, chunksize=8)))
            if k >= 2:
                times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps(dict(impl="pillow", ms_median=round(statistics.median(times), 2), ms_min=round(min(times), 2),
                          peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))))


if __name__ == "__main__":
    main()
