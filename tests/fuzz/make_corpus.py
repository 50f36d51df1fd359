#!/usr/bin/env python3
"""Makes the valid inputs with which the fuzzers begin, corpus/<target>/<name>. Inputs that broke a parser are added by hand."""

import gzip
import io
import json
import pathlib
import struct
import sys
import zipfile
import zlib

root = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True


def put(target, name, content):
    folder = root / "tests/fuzz/corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(header, buffer=b""):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + buffer


def idx(shape, kind=8):
    count = 1
    for extent in shape:
        count *= extent
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + bytes(range(count))


def png(*chunks):
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 1, 2, 8, 0, 0, 0, 0)), *chunks,
              (b"IDAT", zlib.compress(bytes(4), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data + bytes(4) for kind, data in chunks)


for name in ("shapes", "shapes-large", "cifar10", "mnist", "folder", "celebahq256"):
    put("config", name, json.dumps(json.loads((root / f"configs/{name}.json").read_text())))
put("config", "kinds", '{"dataset":{"image_size":[8,16],"background":[1,2,3],"channels":4,"cache_mb":0},'
    '"model":{"down_block_types":["DownBlock2D"],"up_block_types":["UpBlock2D"],"block_out_channels":[32],'
    '"sample_size":[32,32],"mid_block_type":null},"diffusion":{"schedule":"sigmoid","beta_end":2e-2,"timesteps":50,'
    '"zero_terminal_snr":true,"prediction_type":"sample"},"train":{"lr_schedule":"linear","warmup_steps":1e2}}')
put("config", "sampling", '{"sample":{"sampler":"ddim","steps":50,"variance":"fixed_large","eta":0.5,"clip":false,"clip_range":2,'
    '"timestep_spacing":"trailing","steps_offset":1}}')
put("config", "solvers", '{"sample":{"sampler":"heun","timesteps":[999,5e2,0],"order":3,"s_churn":40,"s_tmin":0.05,"s_tmax":50,'
    '"s_noise":1.003,"threshold_ratio":0.995,"threshold_max":1.5,"timestep_spacing":"karras","rho":7}}')
put("config", "escapes", '{"seed":-1.5e+3,"\\u00e9\\ud83d\\ude00":[true,false,null,[],{}],"dataset":{"path":"\\t\\"\\\\"}}')

unet = {
    "_class_name": "UNet2DModel", "_diffusers_version": "0.30.0", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [32, 64], "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "layers_per_block": 1, "sample_size": 16, "num_class_embeds": None,
    "norm_num_groups": 32, "resnet_time_scale_shift": "scale_shift", "class_embed_type": None, "new_key": 1,
}
put("diffusers", "unet", json.dumps(unet))
put("diffusers", "ddpm", json.dumps({"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "beta_start": 1e-4,
    "beta_end": 0.02, "beta_schedule": "squaredcos_cap_v2", "variance_type": "fixed_small_log", "clip_sample": True,
    "prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}))
put("diffusers", "ddim", json.dumps({"_class_name": "DDIMScheduler", "num_train_timesteps": 3,
    "trained_betas": [0.1, 0.2, 0.3], "set_alpha_to_one": True, "steps_offset": 1, "thresholding": False}))
put("diffusers", "index", json.dumps({"metadata": {"total_size": 8}, "weight_map": {"a.weight": "m-00001-of-00002.safetensors",
    "b": "m-00002-of-00002.safetensors"}}))

put("safetensors", "two", safetensors({"__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
    "b": {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]}}, bytes(14)))
put("safetensors", "none", safetensors({}))
put("safetensors", "empty_tensor", safetensors({"a": {"dtype": "U8", "shape": [0, 5], "data_offsets": [0, 0]},
    "s": {"dtype": "BOOL", "shape": [], "data_offsets": [0, 1]}}, b"\1"))
put("safetensors", "gap", safetensors({"a": {"dtype": "I8", "shape": [1], "data_offsets": [1, 2]}}, b"\0\0"))
put("safetensors", "overflow", safetensors({"a": {"dtype": "F64", "shape": [1 << 62, 8], "data_offsets": [0, 0]}}))
put("safetensors", "twice", safetensors(b'{"a":{"dtype":"I8","shape":[1],"shape":[1],"data_offsets":[0,1]}}', b"\0"))
put("safetensors", "padded", safetensors(b'{"\\u00e9":{"data_offsets":[0,2],"dtype":"F16","shape":[1]}}   ', b"\0\0"))

for name in ("state_dict", "nested", "code", "sparse", "protocol4", "old_format", "old_nested"):
    content = (root / f"tests/data/checkpoint/{name}.pt").read_bytes()
    put("torch_file", name, content)
    head = content.find(b"data.pkl")
    if head >= 0:  # stored as it is: from the end of the local header on
        start = head - 30
        while content[start:start + 4] != b"PK\3\4":
            start -= 1
        names, extra = struct.unpack_from("<HH", content, start + 26)
        begin = start + 30 + names + extra
        put("pickle", name, content[begin:content.find(b"PK", begin)])

for path in sorted((root / "tests/data/eval").glob("*.npz")):
    put("npz", path.stem, path.read_bytes())


def script(code, pickle=b"\x80\x02}.", compression=zipfile.ZIP_STORED, constants="net/constants.pkl"):
    """What torch.jit.save writes, as far as it is looked at before loading. The times are fixed, so that the bytes are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in (("net/data.pkl", pickle), ("net/code/__torch__.py", code), (constants, b"\x80\x02)."), ("net/version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), content, compression)
    return out.getvalue()


forward = b"class Net(Module):\n  def forward(self: __torch__.Net, x: Tensor) -> Tensor:\n    return torch.flatten(x, 1)\n"
setstate = forward + b"  def __setstate__(self: __torch__.Net, state: int) -> NoneType:\n    return None\n"
put("script_archive", "stored", script(forward))
put("script_archive", "deflated", script(forward, compression=zipfile.ZIP_DEFLATED))
put("script_archive", "setstate", script(setstate))
put("script_archive", "setstate_deflated", script(setstate, compression=zipfile.ZIP_DEFLATED))
put("script_archive", "foreign_class", script(forward, b"\x80\x02c__torch__.torch\nclasses.quantized.Conv\n."))
put("script_archive", "weights", script(forward, constants="net/other"))
put("script_archive", "old", script(forward, constants="net/model.json"))

for path in sorted((root / "tests/data/image").iterdir()):
    if path.suffix in (".png", ".jpg", ".gif", ".bmp", ".pgm", ".ppm", ".tga") and not path.name.startswith(("resize", "jpeg_4", "jpeg_g")) \
            or path.suffix == ".jpg":
        put("png" if path.suffix == ".png" else "image", path.name, path.read_bytes())
put("image", "plain.pgm", "P2\n# a comment\n2 3\n7\n0 1 2\n3 4 7\n")
put("image", "wide.ppm", b"P6 1 1 65535\n" + bytes(6))
put("png", "text.png", b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + bytes(4) for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"tEXt", b"seed\0007"), (b"tEXt", b"caf\xe9\0\xff"),
        (b"iTXt", b"prompt\0\0\0en\0Wort\0\xc3\xa9"), (b"iTXt", b"packed\0\1\0\0\0x"),
        (b"IDAT", b"\x78\x9c\x63\x60\0\0\0\2\0\1"), (b"IEND", b""))))
exif = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)  # held to the right
profile = b"\nexif\n" + b"%8d\n" % len(exif) + exif.hex().encode() + b"\n"
put("png", "exif.png", png((b"eXIf", exif)))
put("png", "profile.png", png((b"tEXt", b"Raw profile type exif\0" + profile)))
put("png", "packed_profile.png", png((b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(profile, 9))))

put("idx", "pictures", idx([2, 3, 4]))
put("idx", "labels", idx([5]))
put("idx", "labels.gz", gzip.compress(idx([5]), mtime=0))
put("idx", "floats", idx([2, 2], kind=13))
put("cifar10", "record", bytes([3]) + bytes(3072))
put("cifar10", "label", bytes([10]) + bytes(3072))
put("cifar10", "short", bytes(100))
