"""Renders photo.png: a mountain lake at evening, computed from noise alone, so that it belongs to nobody.

    python3 data/make_photo.py data/photo.png      (needs numpy)

A terrain of ridged noise is seen from a little above the water. For every column of the picture the terrain is sampled
along the ground, nearest first; a pixel shows the first sample that rises to its row. The lake mirrors what is above it.
"""
import struct
import sys
import zlib

import numpy as np

WIDTH, HEIGHT, OVERSAMPLING = 480, 320, 2
W, H = WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING
HORIZON = 0.60 * H  # row of the far edge of the water
FOCAL = 0.95 * W
CAMERA = 0.028  # km above the lake
SUN = np.array([-0.88, 0.24, -0.36])  # from the left, behind the camera, low
SUN /= np.linalg.norm(SUN)

random = np.random.default_rng(20)
LATTICE = random.random((256, 256))


def noise(x, y):
    """Value noise with a smooth interpolation, 0 … 1, one cell a unit."""
    xi, yi = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - xi, y - yi
    fx, fy = fx * fx * fx * (fx * (fx * 6 - 15) + 10), fy * fy * fy * (fy * (fy * 6 - 15) + 10)
    at = lambda dx, dy: LATTICE[(yi + dy) & 255, (xi + dx) & 255]
    top = at(0, 0) * (1 - fx) + at(1, 0) * fx
    bottom = at(0, 1) * (1 - fx) + at(1, 1) * fx
    return top * (1 - fy) + bottom * fy


def fractal(x, y, octaves, gain=0.5):
    total, weight, norm = 0.0, 1.0, 0.0
    for octave in range(octaves):
        total = total + weight * noise(x + 17.3 * octave, y - 9.1 * octave)
        norm += weight
        weight *= gain
        x, y = 2.03 * (0.8 * x - 0.6 * y), 2.03 * (0.6 * x + 0.8 * y)
    return total / norm


def ridges(x, y, octaves):
    total, weight, norm, carry = 0.0, 1.0, 0.0, 1.0
    for octave in range(octaves):
        ridge = 1 - np.abs(2 * noise(x + 31.7 * octave, y + 5.9 * octave) - 1)
        ridge = ridge * ridge * carry
        carry = np.clip(1.6 * ridge, 0, 1)
        total = total + weight * ridge
        norm += weight
        weight *= 0.52
        x, y = 2.07 * (0.8 * x - 0.6 * y), 2.07 * (0.6 * x + 0.8 * y)
    return total / norm


def smoothstep(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def ground(x, z, octaves=11):
    """Height in km over the lake; negative is lake bed."""
    shore = 1.5 + 0.9 * fractal(0.9 * x + 3.1, 0.5 * z, 4) + 0.10 * np.abs(x)
    inland = z - shore - 0.35
    banks = smoothstep(0.35, 1.3, np.abs(x + 0.15) - 0.10 * z)  # the sides of the valley come nearer
    rise = smoothstep(-0.2, 5.5, inland + 1.1 * banks)
    peaks = 2.5 * ridges(0.34 * x + 7.62, 0.34 * z + 2.2, octaves)
    hills = 0.16 * fractal(1.7 * x, 1.7 * z + 40, 6)
    return rise * (0.15 + peaks) + smoothstep(-0.3, 0.6, inland + 0.8 * banks) * hills - 0.10 * smoothstep(0.2, -0.6, inland + 0.8 * banks) - 0.02


def trees(x, z):
    """How much the tops of a forest stand above the ground, 0 … 0.02 km: cones on a shaken grid."""
    size = 0.014
    best = np.zeros_like(x)
    xi, zi = np.floor(x / size).astype(int), np.floor(z / size).astype(int)
    for dx in (-1, 0, 1):
        for dz in (-1, 0, 1):
            cx, cz = xi + dx, zi + dz
            jitter = LATTICE[cz & 255, cx & 255], LATTICE[(cx + 91) & 255, (cz + 17) & 255]
            px, pz = (cx + jitter[0]) * size, (cz + jitter[1]) * size
            tall = 0.008 + 0.014 * LATTICE[(cz + 50) & 255, (cx + 7) & 255]
            best = np.maximum(best, tall * (1 - np.hypot(x - px, z - pz) / (0.0042 + 0.15 * tall)))
    return np.maximum(best, 0)


def forest(x, z, height):
    cover = fractal(2.3 * x, 2.3 * z + 11, 5)
    return smoothstep(0.30, 0.42, cover) * smoothstep(0.75, 0.35, height + 0.5 * (cover - 0.5)) * smoothstep(0.0, 0.012, height)


def sky(direction_x, direction_y):
    """Colour of the sky (linear light) at tangents right of and above the middle of the horizon."""
    up = np.clip(direction_y, 0, 1)
    warm = np.exp(-((direction_x + 0.55) ** 2) / 0.5)[..., None]
    zenith, middle, low = np.array([0.065, 0.13, 0.33]), np.array([0.30, 0.37, 0.55]), np.array([0.98, 0.60, 0.36])
    a, b = smoothstep(0.0, 0.22, up)[..., None], smoothstep(0.12, 0.65, up)[..., None]
    colour = (low * (0.62 + 0.55 * warm) * (1 - a) + middle * a) * (1 - b) + zenith * b
    # Clouds: noise on a plane far above, so that it is finer and denser towards the horizon.
    plane = 1 / (up + 0.10)
    cx, cy = direction_x * plane * 1.2 + 4.0, plane * 2.3
    cx = cx + 0.7 * fractal(0.8 * cx, 0.8 * cy, 4)
    density = smoothstep(0.50, 0.78, fractal(0.55 * cx, cy, 8, 0.55)) * smoothstep(0.015, 0.10, up)
    lit = smoothstep(0.0, 0.5, fractal(0.55 * cx, cy, 8, 0.55) - fractal(0.55 * (cx - 0.35), cy + 0.12, 8, 0.55) + 0.24)[..., None]
    cloud = np.array([0.36, 0.30, 0.40]) * (1 - lit) + np.array([1.25, 0.66, 0.44]) * lit
    cloud = cloud * (1 - 0.5 * b) + 0.10 * warm
    return colour * (1 - 0.85 * density[..., None]) + cloud * 0.85 * density[..., None]


columns = (np.arange(W) + 0.5 - W / 2) / FOCAL
rows_up = (HORIZON - np.arange(H) - 0.5) / FOCAL  # tangent above the horizon

# Ground samples, denser nearby; what a sample hides is decided by the largest tangent so far.
depths = 0.25 * (1.0026 ** np.arange(1750))
Z = depths[:, None] * np.ones(W)
X = depths[:, None] * columns[None, :]
bare = ground(X, Z)
wood = forest(X, Z, bare)
near = Z < 6
tops = np.zeros_like(bare)
tops[near] = trees(X[near], Z[near])
full = np.where(bare > 0, bare + wood * tops, bare)
tangent = (np.maximum(full, 0) - CAMERA) / Z
skyline = np.maximum.accumulate(tangent, axis=0)
first = np.stack([np.searchsorted(skyline[:, x], rows_up) for x in range(W)], axis=1)
visible = first < len(depths)
index = np.minimum(first, len(depths) - 1), np.arange(W)[None, :]
px, pz, height, leaf, tree = X[index], Z[index], bare[index], wood[index], tops[index]
is_land = visible & (full[index] > 0)

# Light: normals by differences about as wide as a pixel; shadows by walking towards the sun.
step = np.maximum(pz / FOCAL * 1.2, 0.0015)
height_dx, height_dz = ground(px + step, pz), ground(px, pz + step)
normal = np.stack([-(height_dx - height) / step, np.ones_like(height), -(height_dz - height) / step], axis=-1)
normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
shadow = np.ones_like(height)
for distance in 0.05 * 1.22 ** np.arange(22):
    over = height + distance * SUN[1] - ground(px + distance * SUN[0], pz + distance * SUN[2], 7)
    shadow = np.minimum(shadow, smoothstep(-0.02 - 0.03 * distance, 0.02 + 0.03 * distance, over + 0.02))
sunlight = np.clip((normal * SUN).sum(-1), 0, 1) * shadow

fine = fractal(60 * px, 60 * pz + 40 * height, 5)
coarse = fractal(6 * px, 6 * pz + 9 * height, 5)
rock = np.array([0.27, 0.24, 0.23]) * (0.55 + 0.9 * (0.6 * fine + 0.4 * coarse))[..., None]
strata = 0.85 + 0.3 * noise(3 * px, 55 * height + 2 * coarse)
rock = rock * strata[..., None]
grass = np.array([0.13, 0.14, 0.055]) * (0.5 + 1.0 * fine)[..., None]
needles = np.array([0.035, 0.060, 0.030]) * (0.35 + 1.1 * np.clip(tree / 0.018, 0, 1) + 0.4 * fine)[..., None]
snow = np.array([0.86, 0.88, 0.93]) * (0.9 + 0.15 * fine)[..., None]
mix = lambda a, b, t: a * (1 - t[..., None]) + b * t[..., None]
albedo = mix(rock, grass, smoothstep(0.62, 0.85, normal[..., 1]) * smoothstep(0.9, 0.3, height))
albedo = mix(albedo, snow, smoothstep(0.95, 1.25, height + 0.55 * (coarse - 0.5) + 0.25 * (normal[..., 1] - 0.6)) * smoothstep(0.42, 0.60, normal[..., 1] + 0.2 * (fine - 0.5)))
albedo = mix(albedo, needles, leaf)
beach = smoothstep(0.012, 0.002, height)
albedo = mix(albedo, np.array([0.20, 0.17, 0.14]) * (0.5 + fine)[..., None], beach)
sky_light = np.array([0.30, 0.36, 0.52]) * (0.45 + 0.55 * normal[..., 1])[..., None]
land = albedo * (sunlight[..., None] * np.array([4.3, 2.05, 0.95]) + 0.62 * sky_light)
haze = sky(np.broadcast_to(columns, (H, W)), np.full((H, W), 0.03)) * 0.75 + np.array([0.05, 0.08, 0.14])
thickness = 1 - np.exp(-pz / 34 * np.exp(-np.clip(height, 0, None) * 0.55))
mist = 0.28 * smoothstep(0.12, 0.0, height) * smoothstep(1.0, 3.5, pz) * fractal(1.2 * px, 14 * height + 3, 4)
land = mix(land, haze, np.clip(thickness + mist, 0, 1))

background = sky(np.broadcast_to(columns, (H, W)), np.broadcast_to(rows_up[:, None], (H, W)))
picture = np.where(is_land[..., None], land, background)

# The lake: the picture mirrored at the horizon, shaken by waves that the perspective flattens.
is_water = visible & ~is_land
below = np.maximum(np.arange(H) + 0.5 - HORIZON, 0.5)[:, None] * np.ones(W)
distance = CAMERA * FOCAL / below
across = distance * columns[None, :]
gusts = smoothstep(0.42, 0.62, fractal(2.2 * across + 5, 9 * distance, 4))
wave = sum(a * (fractal(f * across + s, 2.2 * f * distance, 3) - 0.5) for f, a, s in [(45, 1.0, 1), (140, 0.8, 7), (420, 0.6, 3)])
strength = (0.006 + 0.030 * gusts) * H
fade = smoothstep(0, 60 * OVERSAMPLING, below)
mirror_row = np.clip(HORIZON - below - wave * strength * (0.35 + fade), 0, HORIZON - 1)
mirror_column = np.clip(np.arange(W)[None, :] + wave * strength * 0.35 * fade, 0, W - 1)


def sampled(image, r, c):
    r0, c0 = np.floor(r).astype(int), np.floor(c).astype(int)
    r1, c1 = np.minimum(r0 + 1, H - 1), np.minimum(c0 + 1, W - 1)
    fr, fc = (r - r0)[..., None], (c - c0)[..., None]
    return (image[r0, c0] * (1 - fc) + image[r0, c1] * fc) * (1 - fr) + (image[r1, c0] * (1 - fc) + image[r1, c1] * fc) * fr


grazing = np.clip(below / FOCAL, 0, 1)
fresnel = (0.93 - 0.55 * smoothstep(0.02, 0.42, grazing) - 0.10 * gusts)[..., None]
depth_colour = np.array([0.020, 0.045, 0.055])
water = sampled(picture, mirror_row, mirror_column) * fresnel + depth_colour * (1 - fresnel)
water *= 1 + 0.22 * (wave * (0.4 + gusts))[..., None]
picture = np.where(is_water[..., None], water, picture)

# The camera: bloom, oversampling away, a film's curve, darker corners, grain.
linear = picture.reshape(HEIGHT, OVERSAMPLING, WIDTH, OVERSAMPLING, 3).mean((1, 3))


def blurred(image, radius):
    kernel = np.exp(-0.5 * (np.arange(-3 * radius, 3 * radius + 1) / radius) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(3 * radius, 3 * radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        image = sum(k * np.take(padded, np.arange(i, i + image.shape[axis]), axis=axis) for i, k in enumerate(kernel))
    return image


linear = linear + 0.10 * blurred(np.clip(linear - 0.7, 0, None), 9)
y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
linear *= (1 - 0.30 * (((x / WIDTH - 0.5) ** 2 + (y / HEIGHT - 0.5) ** 2) / 0.5))[..., None]
exposed = 0.95 * linear
film = exposed * (2.51 * exposed + 0.03) / (exposed * (2.43 * exposed + 0.59) + 0.14)
encoded = np.clip(film, 0, 1) ** (1 / 2.0)
encoded += 0.006 * random.standard_normal(encoded.shape[:2])[..., None]
pixels = (np.clip(encoded, 0, 1) * 255 + 0.5).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def paeth(above, here):
    a, b, c = (np.zeros(here.shape, int) for _ in range(3))
    a[1:], b[:], c[1:] = here[:-1], above, above[:-1]
    pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    best = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
    return (here.astype(int) - best).astype(np.uint8)


above = np.zeros((WIDTH, 3), np.uint8)
rows = b""
for row in pixels:
    rows += b"\4" + paeth(above, row).tobytes()
    above = row
with open(sys.argv[1], "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
