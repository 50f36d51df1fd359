"""Makes the golden files of tests/image: pictures written by other programs than ours.

    python3 tests/data/image/make.py      (needs Pillow)

Every pixel is a formula that codec_test.cpp knows, so that no decoder has to be trusted. The exceptions are lossy
(JPEG) or computed (resize): beside each lies Pillow's result as a PNG.
"""
import io
import pathlib
import struct
import zlib

from PIL import Image

HERE = pathlib.Path(__file__).parent
W, H = 13, 11


def value(x, y, c):
    return (37 * x + 59 * y + 101 * c + 3 * x * y) & 255


def wide(x, y, c):  # 16 bits
    return (value(x, y, c) << 8 | value(y, x, c + 1)) & 65535


def png(name, depth, colour, sample, channels, width=W, height=H, extra=b"", interlaced=False):
    """A PNG through zlib alone. sample(x, y, c) is the stored number."""

    def rows(xs, ys):
        out = b""
        for y in ys:
            bits = 0
            count = 0
            for x in xs:
                for c in range(channels):
                    bits = bits << depth | sample(x, y, c)
                    count += depth
            if count:
                padding = -count % 8
                out += b"\0" + (bits << padding).to_bytes((count + padding) // 8, "big")
        return out

    if interlaced:  # Adam7
        raw = b"".join(
            rows(range(x0, width, dx), range(y0, height, dy))
            for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        )
    else:
        raw = rows(range(width), range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced)))
    packed = zlib.compress(raw, 9)
    half = len(packed) // 2  # two IDAT chunks: a stream may be split anywhere
    body = chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:])
    if extra:
        head += b"".join(chunk(kind, data) for kind, data in extra)
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b""))


def picture(mode, channels, width=W, height=H):
    data = bytes(value(x, y, c) for y in range(height) for x in range(width) for c in range(channels))
    return Image.frombytes(mode, (width, height), data)


def smooth(mode, width=29, height=21):
    channels = len(mode)
    data = bytes(
        int(255 * [x / width, y / height, (x + y) / (width + height), 1 - x * y / width / height][c])
        for y in range(height) for x in range(width) for c in range(channels)
    )
    return Image.frombytes(mode, (width, height), data)


for depth in (1, 2, 4):
    png(f"grey{depth}.png", depth, 0, lambda x, y, c: value(x, y, c) & (1 << depth) - 1, 1)
png("grey8.png", 8, 0, value, 1)
png("grey16.png", 16, 0, wide, 1)
png("grey_alpha8.png", 8, 4, value, 2)
png("grey_alpha16.png", 16, 4, wide, 2)
png("rgb8.png", 8, 2, value, 3)
png("rgb8_interlaced.png", 8, 2, value, 3, interlaced=True)
png("rgb8_transparent.png", 8, 2, value, 3, extra=[(b"tRNS", struct.pack(">HHH", *(value(3, 2, c) for c in range(3))))])
png("rgb16.png", 16, 2, wide, 3)
png("rgba8.png", 8, 6, value, 4)
png("rgba16.png", 16, 6, wide, 4)
# Colour i of a palette is value(i, 0, c), its alpha value(i, 1, 0).
for depth in (1, 4, 8):
    colours = bytes(value(i, 0, c) for i in range(1 << depth) for c in range(3))
    png(f"palette{depth}.png", depth, 3, lambda x, y, c: value(x, y, c) & (1 << depth) - 1, 1, extra=[(b"PLTE", colours)])
alphas = bytes(value(i, 1, 0) for i in range(16))
colours = bytes(value(i, 0, c) for i in range(16) for c in range(3))
png("palette4_transparent.png", 4, 3, lambda x, y, c: value(x, y, c) & 15, 1, extra=[(b"PLTE", colours), (b"tRNS", alphas)])

picture("RGB", 3).save(HERE / "rgb.bmp")
picture("L", 1).save(HERE / "grey.bmp")
picture("RGB", 3).save(HERE / "rgb.tga")
picture("RGBA", 4).save(HERE / "rgba_packed.tga", compression="tga_rle")
picture("L", 1).save(HERE / "grey_packed.tga", compression="tga_rle")
picture("RGB", 3).save(HERE / "rgb.ppm")
picture("L", 1).save(HERE / "grey.pgm")
frames = [picture("L", 1), picture("L", 1).transpose(Image.Transpose.ROTATE_180)]
frames[0].save(HERE / "grey.gif", save_all=True, append_images=frames[1:])


def jpeg(name, image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    (HERE / f"{name}.jpg").write_bytes(buffer.getvalue())
    decoded = Image.open(buffer)
    decoded.convert("L" if decoded.mode == "L" else "RGB").save(HERE / f"{name}.png", optimize=True)


jpeg("jpeg_444", smooth("RGB"), quality=90, subsampling=0)
jpeg("jpeg_420_progressive", smooth("RGB"), quality=90, subsampling=2, progressive=True)
jpeg("jpeg_grey", smooth("RGB").convert("L"), quality=90)
jpeg("jpeg_cmyk", smooth("CMYK"), quality=95)

# The pattern jumps from pixel to pixel: weights a little off show at once.
for mode in ("L", "RGB", "RGBA"):
    for size in ((8, 6), (29, 23), (1, 1), (13, 4)):
        resized = picture(mode, len(mode)).resize(size, Image.Resampling.BICUBIC)
        resized.save(HERE / f"resize_{mode}_{size[0]}x{size[1]}.png", optimize=True)
