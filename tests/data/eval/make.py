#!/usr/bin/env python3
"""Makes the .npz files here, as other programs write statistics and samples: `make.py FOLDER`. They hold the mean and the covariance of A, the
200 rows of 8 numbers of tests/eval/check_values.h."""
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
M = (1 << 64) - 1


def u(s, i, j):
    z = ((s << 40) + (i << 20) + j + 0x9E3779B97F4A7C15) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return ((z ^ (z >> 31)) >> 48) / 65536


A = np.array([[(8 + j) * u(1, i, j) / 8 for j in range(8)] for i in range(200)])
mu, sigma = A.mean(axis=0), np.cov(A, rowvar=False)
pictures = (np.arange(5 * 4 * 6 * 3) * 7 % 256).astype(np.uint8).reshape(5, 4, 6, 3)

np.savez_compressed(folder / "pytorch_fid.npz", mu=mu, sigma=sigma)  # pytorch-fid and clean-fid: deflated
np.savez(folder / "edm.npz", mu=mu, sigma=np.asfortranarray(sigma))  # EDM: stored
np.savez(folder / "guided.npz", arr_0=pictures, mu=mu, sigma=sigma, mu_s=mu[:3], sigma_s=sigma[:3, :3])
np.savez_compressed(folder / "samples.npz", arr_0=pictures, arr_1=np.arange(5))
np.savez(folder / "objects.npz", arr_0=np.array([{"a": 1}], dtype=object), mixed=np.zeros(2, dtype=[("a", "<f4"), ("b", "<i8")]),
         words=np.array(["one", "seven"]))
