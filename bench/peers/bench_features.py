#!/usr/bin/env python3
"""Time the peers of `ddpm eval quality`: Kymatio's scattering and torch-fidelity's Inception, or torch-fidelity's whole evaluation of
two folders of pictures. One JSON line: milliseconds for a batch, or the seconds of an evaluation by the whole process.

  bench_features.py --features scatter --size 32 --batch 64
  bench_features.py --features inception --weights FILE.pth --size 32 --batch 64
  bench_features.py --evaluate SAMPLES REAL --weights FILE.pth          FID and KID of the folders
  bench_features.py --make-weights FILE.pth                             random weights of the Inception of 2015-12-05 instead
  bench_features.py --make FOLDER --size 32 --count 256 --seed 0        fills FOLDER with random PNGs instead
"""
import argparse, json, pathlib, resource, statistics, time

import numpy as np
import torch


def prepare_torchvision():
    """The compiled operators of PyPI's torchvision don't load beside a CPU-only torch, and its import asks for one of them."""
    try:
        torch.ops.torchvision.nms
    except (AttributeError, RuntimeError):
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library


def make_weights(path):
    """Saves what pytorch-fid's own class has after it is made: weights as torch initializes them, with statistics that keep numbers
    in range."""
    from pytorch_fid import inception
    inception.load_state_dict_from_url = lambda *_, **__: None
    torch.nn.Module.load_state_dict, loaded = (lambda self, state, **_: None), torch.nn.Module.load_state_dict
    torch.manual_seed(0)
    network = inception.fid_inception_v3()
    torch.nn.Module.load_state_dict = loaded
    torch.save(network.state_dict(), path)


def make_pictures(folder, count, size, seed):
    from PIL import Image
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((size, size), Image.BICUBIC)
        coarse.save(folder / f"{i:04d}.png")


def extractor(a):
    if a.features == "scatter":
        from kymatio.torch import Scattering2D
        scattering = Scattering2D(J=3 if a.size >= 32 else 2, L=6, shape=(a.size, a.size))
        return lambda pictures: scattering(pictures.float().div(255))
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(a.weights))
    return network


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--features", choices=["scatter", "inception"], default="inception")
    p.add_argument("--weights", type=pathlib.Path)
    p.add_argument("--make-weights", type=pathlib.Path)
    p.add_argument("--make", type=pathlib.Path)
    p.add_argument("--evaluate", nargs=2)
    p.add_argument("--count", type=int, default=256)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--warmup", type=int, default=1)
    p.add_argument("--steps", type=int, default=4)
    a = p.parse_args()
    operators = prepare_torchvision()  # lives as long as it is used
    if a.make_weights:
        make_weights(a.make_weights)
        return
    if a.make:
        make_pictures(a.make, a.count, a.size, a.seed)
        return
    if a.evaluate:
        import torch_fidelity
        result = torch_fidelity.calculate_metrics(
            input1=a.evaluate[0], input2=a.evaluate[1], cuda=False, fid=True, kid=True, kid_subset_size=100, batch_size=a.batch,
            cache=False, verbose=False, feature_extractor_weights_path=str(a.weights))
        print(json.dumps(dict(impl="torch-fidelity", fd=result["frechet_inception_distance"],
                              kid=result["kernel_inception_distance_mean"])))
        return
    features = extractor(a)
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (a.batch, 3, a.size, a.size), dtype=np.uint8))
    times = []
    with torch.inference_mode():
        for k in range(a.warmup + a.steps):
            start = time.perf_counter()
            features(pictures)
            if k >= a.warmup:
                times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps(dict(impl=a.features, ms_median=round(statistics.median(times), 2), ms_min=round(min(times), 2),
                          peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))))


if __name__ == "__main__":
    main()
