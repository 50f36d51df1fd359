"""Whether the numbers of `ddpm eval quality` rise as pictures get worse: on three splits of two sets of pictures, and beside what a
network for photographs says of the same pictures."""
import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

import efficientnet
from degraded import LEVELS, degraded_sets
from tools import write_json

COUNT = 400  # pictures in each set
NETWORK_COUNT = 200  # of them for the network, for time
SPLITS = 3
FALLING = ("precision", "recall", "density", "coverage")

# For a data set, features and a number: how many of the 23 pairs may be in the wrong order in a split, and how many of the seven mildest
# degradations may lie within three deviations of real pictures. For digits no pair was in the wrong order in any of the three splits, and
# one fewer was not seen in the worst of them; the one is left because a deviation of ten groups is itself known to a quarter. For shapes
# one or two pairs were (mmd and kid 1, fd 2, of split 0; those of dropped classes, which scatter does not see there, fall by chance).
BOUNDS = {
    ("digits", "scatter", "mmd"): (0, 3),
    ("digits", "scatter", "fd"): (0, 3),
    ("digits", "scatter", "kid"): (0, 4),
    ("digits", "pixel", "mmd"): (0, 4),
    ("shapes", "scatter", "mmd"): (3, 4),
    ("shapes", "scatter", "fd"): (4, 4),
    ("shapes", "scatter", "kid"): (4, 4),
    ("shapes", "pixel", "mmd"): (7, 7),
}


def digits():
    """scikit-learn's 8×8 digits, enlarged. [1797, 16, 16, 1] uint8, and their classes."""
    data = load_digits()
    small = np.rint(data.images * 255 / 16).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(x).resize((16, 16), Image.Resampling.BICUBIC)) for x in small])[..., None], data.target


def shapes(programs):
    """The built-in data set, [1800, 16, 16, 3] uint8, and their classes."""
    config = programs.work / "shapes-1800.json"
    write_json({"dataset": {"type": "shapes", "image_size": 16, "length": 1800}}, config)
    found, _ = programs.ask("pictures", config)
    return found["pixels"].numpy().transpose(0, 2, 3, 1), found["labels"].numpy()


def split_sets(pictures, labels, split):
    """{name: [sets]}: three disjoint parts are the reference, real pictures that it does not hold, and what is made worse."""
    random = np.random.default_rng(split)
    order = random.permutation(len(pictures))
    reference, real, pool = order[:COUNT], order[COUNT : 2 * COUNT], order[2 * COUNT :]
    sets = degraded_sets(pictures[pool], labels[pool], COUNT, random)
    return pictures[reference], pictures[real], sets


def judged(programs, features, metrics, reference, real, sets):
    """{name of a number: {name of a set: [values, the mildest first]}}, and {name of a number: deviation of real pictures}."""
    tensors = {"reference": reference, "real.0": real, "copies.0": reference}
    for name, levels in sets.items():
        tensors.update({f"{name}.{level}": pictures for level, pictures in enumerate(levels)})
    found, _ = programs.ask("judge", features, metrics, tensors={
        name: torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))) for name, pictures in tensors.items()})
    numbers, deviations = {}, {}
    for key in sorted(found):
        of_set, _, number = key.partition("/")
        name, _, _ = of_set.rpartition(".")
        if number.endswith("/sd"):
            if name == "real":
                deviations[number.removesuffix("/sd")] = found[key].item()
        elif number != "features":
            numbers.setdefault(number, {}).setdefault(name, []).append(found[key].item())
    return numbers, deviations


def pairs_out_of_order(values, names):
    """Of the pairs of neighbours on each ladder, whose first step is from real pictures to the mildest set."""
    pairs = [pair for name in names for pair in zip(values["real"] + values[name], values[name])]
    return sum(not a < b for a, b in pairs)


def unseen(values, names, deviation):
    mildest = [values[name][0] for name in names if len(values[name]) == LEVELS]
    return sum(not value - values["real"][0] > 3 * deviation for value in mildest)


def compare(programs, report, data, features, metrics, reference, real, sets):
    numbers, deviations = judged(programs, features, metrics, reference, real, sets)
    for number, values in numbers.items():
        if number in FALLING:
            values = {name: [-value for value in levels] for name, levels in values.items()}
        wrong, missed = BOUNDS.get((data, features, number), (None, None))
        row = f"{data}, {features}, {number}"
        report(f"{row}: pairs out of order, of 23", pairs_out_of_order(values, sets), wrong)
        report(f"{row}: mildest degradations not seen, of 7", unseen(values, sets, deviations[number]), missed)
        if number in ("mmd", "fd"):
            report(f"{row}: copies of the reference farther than real pictures", values["copies"][0] > values["real"][0], 0)
    return numbers


def beside_a_network(report, network, data, numbers, reference, real, sets):
    x = efficientnet.features(network, reference[:NETWORK_COUNT])
    theirs = {name: [efficientnet.frechet_distance(x, efficientnet.features(network, pictures[:NETWORK_COUNT])) for pictures in levels]
              for name, levels in {**sets, "real": [real]}.items()}
    row = f"{data}, EfficientNet-Lite0's Frechet distance"
    report(f"{row}: pairs out of order, of 23", pairs_out_of_order(theirs, sets))
    for number in ("mmd", "fd"):
        ranked = spearmanr(*([value for name in theirs for value in values[name]] for values in (theirs, numbers[number]))).statistic
        report(f"{row}: 1 - Spearman's rank correlation with scatter's {number}", 1 - ranked)


def run(programs, report):
    network = efficientnet.open_network()
    for data, (pictures, labels) in (("digits", digits()), ("shapes", shapes(programs))):
        for split in range(SPLITS):
            reference, real, sets = split_sets(pictures, labels, split)
            numbers = compare(programs, report, data, "scatter", "mmd,fd,kid,pr,dc", reference, real, sets)
            compare(programs, report, data, "pixel", "mmd", reference, real, sets)
            if split == 0:
                beside_a_network(report, network, data, numbers, reference, real, sets)
