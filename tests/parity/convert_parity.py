"""Compares networks of other programs, written by torch.save, with what `ddpm convert` makes of them. One forward pass of the
restated original is compared with diffusers' UNet2DModel on the converted folder, in float32 and float64. This program must also
be able to sample from the folder.

    python tests/parity/convert_parity.py --program build/release/ddpm
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile

import diffusers
import torch
from diffusers import UNet2DModel
from safetensors.torch import load_file

from openai_unet import OpenaiUNet
from pesser_unet import PesserUNet

PICTURES = 3


def cases():
    """name, network, flags of `ddpm convert`, labels or None, expectations of config.json, how it is saved"""

    def head_of(size):
        return lambda channels: channels // size

    small = dict(pictures=PICTURES, channels=32, mult=(1, 2), layers=1)
    yield ("openai: heads of 32 channels, conv up and down, old order",
           OpenaiUNet(**small, attention=(1,), heads=head_of(32)), ["num_head_channels=32"], None,
           {"attention_head_dim": 32, "downsample_type": "conv"}, "plain")
    yield ("openai: heads of 16 at two levels, resblock_updown, scale-shift, classes, learned range, new order",
           OpenaiUNet(PICTURES, 32, (1, 2, 3), 2, (1, 2), head_of(16), film=True, by_resnet=True, new_order=True,
                      classes=7, learn_sigma=True),
           ["num_head_channels=16", "use_new_attention_order=true"], 7,
           {"downsample_type": "resnet", "out_channels": 6, "num_class_embeds": 7, "attn_norm_num_groups": 32}, "plain")
    yield ("openai: the same in the old order, kept under \"ema\"",
           OpenaiUNet(PICTURES, 32, (1, 2), 1, (0, 1), head_of(16), film=True, by_resnet=True),
           ["num_head_channels=16"], None, {"resnet_time_scale_shift": "scale_shift"}, "nested")
    yield ("openai: 4 heads at one width, scale-shift without resblock_updown, dimensions swapped in memory",
           OpenaiUNet(**small, attention=(1,), heads=lambda channels: 4, film=True), ["num_heads=4"], None,
           {"attention_head_dim": 16, "upsample_type": "conv"}, "channels_last")
    yield ("openai: one head at two widths, resblock_updown added, not scaled",
           OpenaiUNet(**small, attention=(0, 1), heads=lambda channels: 1, by_resnet=True), ["num_heads=1"], None,
           {"attention_head_dim": None, "resnet_time_scale_shift": "default"}, "parameters")
    yield ("openai: attention in the middle alone, resblock_updown, T = 4000 told as t/4, cosine",
           OpenaiUNet(**small, attention=(), heads=lambda channels: 2, by_resnet=True, time_scale=0.25),
           ["num_heads=2", "diffusion_steps=4000", "rescale_timesteps=true", "noise_schedule=cosine"], None,
           {"time_embedding_type": "learned", "down_block_types": ["ResnetDownsampleBlock2D", "DownBlock2D"]}, "plain")
    yield ("pesser: attention at the coarser of two levels",
           PesserUNet(**small, attention=(1,)), ["model_var_type=fixedlarge"], None,
           {"downsample_padding": 0, "freq_shift": 1, "norm_eps": 1e-6}, "plain")
    yield ("pesser: three levels, two blocks each, attention in the middle one, under \"module\"",
           PesserUNet(PICTURES, 32, (1, 2, 2), 2, (1,)), [], None,
           {"block_out_channels": [32, 64, 64], "attention_head_dim": None}, "module")


def save(network, how, path):
    state = network.state_dict()
    if how == "nested":
        state = {"step": 1000, "model": {name: tensor for name, tensor in state.items() if "label" in name},
                 "ema": state, "lr": 1e-4}
    elif how == "channels_last":
        state = {name: tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
                 for name, tensor in state.items()}
    elif how == "parameters":
        state = dict(network.named_parameters())
    elif how == "module":
        state = {"module." + name: tensor for name, tensor in state.items()}
    torch.save(state, path)


def randomize(network):
    """Every weight drawn anew, zero-initialised ones and biases included, at a size that keeps activations near 1."""
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            if parameter.dim() > 1:
                parameter.normal_(0, 1 / (parameter[0].numel() ** 0.5))
            else:
                parameter.normal_(1 if name.endswith("weight") else 0, 0.1)


def largest_difference(original, converted, dtype, labels):
    original, converted = original.to(dtype).eval(), converted.to(dtype).eval()
    original.divide_last = dtype == torch.float64
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, PICTURES, 16, 16, generator=generator, dtype=torch.float64).to(dtype)
    t = torch.tensor([0, 37, 999])
    y = torch.randint(labels, (3,), generator=generator) if labels else None
    with torch.no_grad():
        expected = original(x, t, y) if labels else original(x, t)
        found = converted(x, t, **({"class_labels": y} if labels else {})).sample
    assert expected.shape == found.shape, (expected.shape, found.shape)
    return ((expected - found).abs().max() / expected.abs().max()).item()


def check_case(program, work, report, number, case):
    name, network, settings, labels, expectations, how = case
    randomize(network)
    source, folder = work / f"{number}.pt", work / str(number)
    save(network, how, source)
    flags = [word for setting in ["image_size=16", *settings] for word in ("--set", setting)]
    subprocess.run([program, "convert", source, folder, *flags], check=True, capture_output=True)
    config = json.loads((folder / "unet/config.json").read_text())
    for key, value in expectations.items():
        assert config[key] == value, (name, key, config[key], value)
    learned_range = config["out_channels"] == 2 * config["in_channels"]
    scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    assert (scheduler["variance_type"] == "learned_range") == learned_range, scheduler
    converted, loading = UNet2DModel.from_pretrained(folder, subfolder="unet", output_loading_info=True)
    assert not any(loading.values()), loading
    for dtype, bound in ((torch.float32, 2e-5), (torch.float64, 1e-10)):
        kind = str(dtype).removeprefix("torch.")
        report(f"convert {name}, {kind}", largest_difference(network, converted, dtype, labels), bound)
    subprocess.run([program, "sample", "--ckpt", folder, "--n", "1", "--steps", "2", "--device", "cpu", "--out",
                    work / f"drawn-{number}"], check=True, capture_output=True)


def check_narrow_files(program, work, report):
    """fp16 and bf16 are the nearest numbers of their kind, in a folder and in a single file."""
    source = work / "0"
    wide = UNet2DModel.from_pretrained(source, subfolder="unet").state_dict()
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        folder, single = work / name, work / f"{name}.safetensors"
        for target in (folder, single):
            subprocess.run([program, "convert", source, target, "--dtype", name], check=True, capture_output=True)
            subprocess.run([program, "sample", "--ckpt", target, "--n", "1", "--steps", "2", "--device", "cpu", "--out",
                            work / f"drawn-{target.name}"], check=True, capture_output=True)
        narrow = UNet2DModel.from_pretrained(folder, subfolder="unet", torch_dtype=dtype).state_dict()
        report(f"convert --dtype {name}, against torch's rounding",
               max((narrow[key].double() - wide[key].to(dtype).double()).abs().max().item() for key in wide), 0.0)


def check_pickled_weights(program, work, report):
    """A folder of diffusers whose weights are diffusion_pytorch_model.bin is what it is with safetensors."""
    folder, single = work / "bin", work / "bin.safetensors"
    shutil.copytree(work / "0", folder)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    wide = UNet2DModel.from_pretrained(work / "0", subfolder="unet").state_dict()
    weights.unlink()
    torch.save(wide, weights.with_suffix(".bin"))
    subprocess.run([program, "convert", folder, single], check=True, capture_output=True)
    found = load_file(single)
    assert found.keys() == wide.keys()
    report("convert of diffusion_pytorch_model.bin, against the same in safetensors",
           max((found[key] - wide[key]).abs().max().item() for key in wide), 0.0)


def run(ddpm_program, work, report):
    """report(row, difference, bound): `difference` is relative to the largest output. `work` is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    program = str(pathlib.Path(ddpm_program).resolve())
    torch.manual_seed(0)
    for number, case in enumerate(cases()):
        check_case(program, work, report, number, case)
    check_narrow_files(program, work, report)
    check_pickled_weights(program, work, report)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    diffusers.utils.logging.set_verbosity_error()
    failed = []

    def report(row, difference, bound):
        print(f"{'ok  ' if difference <= bound else 'FAIL'}  {difference:9.2e}  (≤ {bound:.0e})  {row}", flush=True)
        if not difference <= bound:
            failed.append(row)

    with tempfile.TemporaryDirectory() as work:
        run(parser.parse_args().program, pathlib.Path(work) / "convert", report)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
