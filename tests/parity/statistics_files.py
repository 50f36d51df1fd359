"""Statistics that `ddpm eval stats` writes and that others write, opened by both sides, and Fréchet distances by pytorch-fid beside them."""
import json
import sys
import types

import numpy as np


def pytorch_fid():
    """pytorch_fid.fid_score, of which only the distance and the reading of statistics are used. Its network and torchvision, which it
    imports, need not be there: others stand in their place meanwhile."""
    network = types.ModuleType("pytorch_fid.inception")
    network.InceptionV3 = types.SimpleNamespace(BLOCK_INDEX_BY_DIM={64: 0, 192: 1, 768: 2, 2048: 3})
    transforms = types.ModuleType("torchvision.transforms")
    vision = types.ModuleType("torchvision")
    vision.transforms = transforms
    others = {"pytorch_fid.inception": network, "torchvision": vision, "torchvision.transforms": transforms}
    before = {name: sys.modules.get(name) for name in others}
    sys.modules.update(others)
    from pytorch_fid import fid_score
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module
    return fid_score


def run(programs, report, config):
    fid = pytorch_fid()
    folder = programs.work / "statistics"
    folder.mkdir(exist_ok=True)
    real, drawn = folder / "real.npz", folder / "drawn.npz"
    of_real = ["--data", config, "--set", "dataset.image_size=8", "--set", "dataset.length=700"]
    programs.run(programs.program, "eval", "stats", *of_real, "--features", "pixel", "--out", real, "--overwrite",
                 "--device", "cpu")
    random = np.random.default_rng(1)
    pictures = (random.random((600, 8, 8, 3)) * random.random((1, 8, 8, 3)) * 255).astype(np.uint8)
    np.savez_compressed(drawn, arr_0=pictures)
    x = pictures.transpose(0, 3, 1, 2).reshape(600, -1) / 255
    mine = x.mean(axis=0), np.cov(x, rowvar=False)

    kept = np.load(real)
    features = kept["features"].astype(np.float64)
    theirs = fid.compute_statistics_of_path(str(real), None, 1, x.shape[1], "cpu")
    report("Statistics: mu of the .npz against NumPy's of its features", np.abs(theirs[0] - features.mean(axis=0)).max(), 1e-12)
    report("Statistics: sigma of the .npz against NumPy's of its features",
           np.abs(theirs[1] - np.cov(features, rowvar=False)).max(), 1e-12)
    says = json.loads(bytes(kept["protocol"]).decode())
    report("Statistics: n, protocol and hashes of the .npz", float(
        int(kept["n"]) != 700 or says["protocol"]["features"] != "pixel" or kept["hashes"].shape != (700,)), 0.0)

    def value(reference):
        result = folder / "quality.json"
        programs.run(programs.program, "eval", "quality", "--samples", drawn, "--ref", reference, "--features", "pixel",
                     "--metrics", "fd", "--json", result, "--device", "cpu")
        return json.loads(result.read_text())["results"][0]["value"]

    expected = fid.calculate_frechet_distance(*theirs, *mine)
    report("Statistics: FD by pytorch-fid from our .npz, relative", abs(value(real) / expected - 1), 1e-6)
    # Without the features the distance comes from mu and sigma alone; NumPy writes the file, deflated.
    bare = folder / "bare.npz"
    np.savez_compressed(bare, **{name: kept[name] for name in ("mu", "sigma", "n", "protocol", "hashes")})
    report("Statistics: FD from a deflated .npz of NumPy without features, relative", abs(value(bare) / expected - 1), 1e-6)
