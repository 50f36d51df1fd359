"""Sets of pictures that are worse than real ones in a known way, from mild to strong."""
import numpy as np
from scipy import ndimage

LEVELS = 3


def to_bytes(pictures):
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8)


def blurred(pictures, level, random):
    width = (0.35, 0.6, 1.0)[level]
    return ndimage.gaussian_filter(pictures, (0, width, width, 0), mode="nearest")


def noisy(pictures, level, random):
    return pictures + (4, 10, 25)[level] * random.standard_normal(pictures.shape)


def warped(pictures, level, random):
    """Each picture is drawn along a smooth random displacement of so many pixels (standard deviation)."""
    count, height, width, channels = pictures.shape
    moves = ndimage.gaussian_filter(random.standard_normal((count, 2, height, width)), (0, 0, 2, 2), mode="wrap")
    moves *= (0.3, 0.6, 1.2)[level] / moves.std()
    grid = np.mgrid[:height, :width]
    out = np.empty_like(pictures)
    for i in range(count):
        for c in range(channels):
            out[i, :, :, c] = ndimage.map_coordinates(pictures[i, :, :, c], grid + moves[i], order=1, mode="nearest")
    return out


def pale(pictures, level, random):
    middle = pictures.mean()
    return middle + (0.9, 0.75, 0.5)[level] * (pictures - middle)


def collages(pictures, level, random):
    """A share of the pictures has each quadrant of another picture."""
    count, height, width, _ = pictures.shape
    out = pictures.copy()
    for i in range(round(count * (0.2, 0.5, 1.0)[level])):
        for rows in (slice(0, height // 2), slice(height // 2, None)):
            for columns in (slice(0, width // 2), slice(width // 2, None)):
                out[i, rows, columns] = pictures[random.integers(count), rows, columns]
    return out


def blends(pictures, random):
    """Each picture is the mean of two."""
    return (pictures + pictures[random.permutation(len(pictures))]) / 2


def surrogates(pictures, random):
    """Draws of the normal distribution with the mean and the covariance of the pixels."""
    flat = pictures.reshape(len(pictures), -1)
    centre = flat.mean(0)
    # Weights of the centred pictures that have the covariance of the pixels.
    weights = random.standard_normal((len(flat), len(flat))) / np.sqrt(len(flat) - 1)
    return (centre + weights @ (flat - centre)).reshape(pictures.shape)


ALTERATIONS = {"blur": blurred, "noise": noisy, "warp": warped, "contrast": pale, "collages": collages}


def degraded_sets(pool, labels, count, random):
    """{name: [sets, the mildest first]}, sets [count, H, W, C] uint8. `pool` [N, H, W, C] uint8 with N > count has real pictures, in
    mixed order, `labels` [N] their classes."""
    real = pool[:count].astype(float)
    sets = {name: [to_bytes(alter(real, level, random)) for level in range(LEVELS)] for name, alter in ALTERATIONS.items()}
    sets["classes dropped"] = [pool[labels >= dropped][:count] for dropped in (1, 3, 6)]
    sets["few distinct"] = [pool[random.integers(distinct, size=count)] for distinct in (count // 4, count // 12, count // 40)]
    sets["blends"] = [to_bytes(blends(real, random))]
    sets["Gaussian surrogate"] = [to_bytes(surrogates(real, random))]
    return sets
