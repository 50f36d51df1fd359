"""The numbers of `ddpm eval quality` against the packages that others take: pytorch-fid, torch-fidelity, prdc and Kymatio."""
import contextlib
import io

import mpmath
import numpy as np
import torch

# Kymatio's package for 2D alone, because that for 3D needs a function that SciPy no longer has.
from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D
from prdc import compute_prdc
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

ANGLES = 6


def off(ours, theirs):
    return abs(float(ours) - theirs) / abs(theirs)


def statistics(rows):
    return {"mu": rows.mean(0), "sigma": np.cov(rows, rowvar=False)}


def their_frechet_distances(reference, samples):
    one, other = statistics(reference), statistics(samples)
    with contextlib.redirect_stdout(io.StringIO()):
        yield "pytorch-fid", calculate_frechet_distance(one["mu"], one["sigma"], other["mu"], other["sigma"])
        yield "torch-fidelity", fid_statistics_to_metric(one, other, False)[KEY_METRIC_FID]


def exact_frechet_distance(reference, samples):
    """|Δμ|² + tr Σ₁ + tr Σ₂ − 2·Σ singular values of W₁ᵀW₂, Σ = WWᵀ with W the centred rows, in 40 digits."""
    with mpmath.workdps(40):
        sets = [mpmath.matrix(rows.tolist()) for rows in (reference, samples)]
        means = [[mpmath.fsum(rows[:, j]) / rows.rows for j in range(rows.cols)] for rows in sets]
        factors = []
        for rows, mean in zip(sets, means):
            centred = mpmath.matrix(rows.rows, rows.cols)
            for i in range(rows.rows):
                for j in range(rows.cols):
                    centred[i, j] = (rows[i, j] - mean[j]) / mpmath.sqrt(rows.rows - 1)
            factors.append(centred)
        traces = mpmath.fsum(value**2 for factor in factors for value in factor)
        values = mpmath.svd_r(factors[0] * factors[1].T, compute_uv=False)
        return float(mpmath.fsum((a - b) ** 2 for a, b in zip(*means)) + traces - 2 * mpmath.fsum(values))


def squared_distances(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def plain_mmd(x, y):
    scale = np.median(squared_distances(x, x)[np.triu_indices(len(x), 1)])
    k_xx, k_yy, k_xy = (np.exp(-squared_distances(a, b) / scale) for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    return (k_xx.sum() - n) / (n * (n - 1)) + (k_yy.sum() - m) / (m * (m - 1)) - 2 * k_xy.mean()


def features(random, rows, dimension, shift):
    """Correlated and skewed, as those of networks are."""
    mixing = np.random.default_rng(dimension).standard_normal((dimension, dimension)) / np.sqrt(dimension)
    return np.maximum(random.standard_normal((rows, dimension)) @ mixing + shift, -0.3) + shift


def measured(programs, reference, samples):
    numbers, _ = programs.ask("distances", tensors={"reference": torch.from_numpy(reference), "samples": torch.from_numpy(samples)})
    return {name: value.item() for name, value in numbers.items()}


def distances(programs, report):
    for case, (n, m, dimension, shift) in enumerate(((400, 400, 8, 0.0), (600, 300, 8, 0.3), (500, 500, 64, 0.1),
                                                    (400, 250, 64, 0.5), (300, 300, 2, 1.0))):
        random = np.random.default_rng(case)
        reference, samples = features(random, n, dimension, 0.2), features(random, m, dimension, 0.2 + shift)
        ours = measured(programs, reference, samples)
        for package, value in their_frechet_distances(reference, samples):
            report(f"Frechet distance against {package}, full rank", off(ours["fd"], value), 1e-6)
        if n == m:
            whole = kid_features_to_metric(torch.from_numpy(reference), torch.from_numpy(samples), kid_subsets=1, kid_subset_size=n,
                                           verbose=False)
            report("KID of whole sets against torch-fidelity", off(ours["kid"], whole[KEY_METRIC_KID_MEAN]), 1e-6)
        report("MMD with a Gaussian kernel against its formula in NumPy", off(ours["mmd"], plain_mmd(reference, samples)), 1e-6)
        for k in (3, 5):
            with contextlib.redirect_stdout(io.StringIO()):
                theirs = compute_prdc(reference, samples, nearest_k=k)
            for name, value in theirs.items():
                report(f"{name} against prdc, {k} neighbours", abs(ours[f"{name}/{k}"] - value), 1e-12)


def fewer_rows_than_columns(programs, report):
    for case, (n, m, dimension) in enumerate(((20, 20, 32), (24, 20, 40))):
        random = np.random.default_rng(100 + case)
        reference, samples = features(random, n, dimension, 0.2), features(random, m, dimension, 0.5)
        exact = exact_frechet_distance(reference, samples)
        report("Frechet distance, singular covariances, against 40 digits", off(measured(programs, reference, samples)["fd"], exact),
               1e-10)
        for package, value in their_frechet_distances(reference, samples):
            report.deviation(f"Frechet distance of {package}, singular covariances, against 40 digits", off(value, exact), 1e-10,
                             "the root is taken of a product of covariances that has no full rank, so of rounding; here it is that of "
                             "the product of two factors")


def scattering(programs, report):
    generator = torch.Generator().manual_seed(7)
    for J, height, width in ((2, 16, 16), (3, 32, 32), (2, 20, 36), (3, 48, 32)):
        x = torch.rand(6, height, width, generator=generator)
        theirs = ScatteringTorch2D(J=J, shape=(height, width), L=ANGLES)(x)
        ours = programs.ask("scattering", J, tensors={"x": x})[0]["S"]
        orders = theirs.split([1, J * ANGLES, ANGLES**2 * J * (J - 1) // 2], dim=1)
        for order, (a, b) in enumerate(zip(ours.split([part.shape[1] for part in orders], dim=1), orders)):
            # Kymatio's own float32 is up to 4e-7 from its float64.
            report(f"scattering of order {order} against Kymatio, float32", ((a - b).abs().max() / b.abs().max()).item(), 2e-6)


def run(programs, report):
    distances(programs, report)
    fewer_rows_than_columns(programs, report)
    scattering(programs, report)
