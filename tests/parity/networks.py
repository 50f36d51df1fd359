"""U-Nets with random weights: outputs and the gradient of every parameter, in float32 and float64, both ways."""
import copy

import torch
from diffusers import UNet2DModel

from tools import randomize, relative, relative_rms, save, save_pipeline, write_json

DOWN, ATTN_DOWN, RESNET_DOWN = "DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"
UP, ATTN_UP, RESNET_UP = "UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"


def net(channels, attention, **more):
    """attention: one flag a level."""
    return dict(
        sample_size=16, block_out_channels=channels, layers_per_block=1, norm_num_groups=8,
        down_block_types=[ATTN_DOWN if a else DOWN for a in attention],
        up_block_types=[ATTN_UP if a else UP for a in reversed(attention)]) | more


ARCHITECTURES = {
    "one level": net([32], [0], layers_per_block=2),
    "two levels, no attention": net([16, 32], [0, 0], add_attention=False),
    "attention everywhere, head_dim 8": net([16, 32, 32], [1, 1, 1], attention_head_dim=8),
    "attention at one level, head_dim null": net([16, 32, 32], [0, 1, 0], attention_head_dim=None, layers_per_block=2),
    "head_dim 32": net([32, 64], [0, 1], attention_head_dim=32),
    "head_dim that does not divide": net([16, 40], [0, 1], attention_head_dim=12),
    "scale_shift": net([16, 32], [0, 1], resnet_time_scale_shift="scale_shift"),
    "scale_shift, attn_norm_num_groups": net([16, 32], [0, 1], resnet_time_scale_shift="scale_shift", attn_norm_num_groups=4),
    "num_class_embeds": net([16, 32], [0, 1], num_class_embeds=10),
    "class_embed_type timestep": net([16, 32], [0, 0], class_embed_type="timestep"),
    "class_embed_type identity": net([16, 32], [0, 0], class_embed_type="identity"),
    "resnet resampling": net([16, 32, 32], [0, 1, 0], downsample_type="resnet", upsample_type="resnet",
                             down_block_types=[RESNET_DOWN, ATTN_DOWN, DOWN], up_block_types=[UP, ATTN_UP, RESNET_UP]),
    "Ho et al.'s settings, padding 0": net([16, 32, 32], [0, 1, 0], downsample_padding=0, flip_sin_to_cos=False,
                                           freq_shift=1, norm_eps=1e-6, attention_head_dim=None),
    "norm groups 4, eps 1e-3": net([16, 24], [0, 1], norm_num_groups=4, norm_eps=1e-3),
    "center_input_sample": net([16, 32], [0, 0], center_input_sample=True),
    "no mid block": net([16, 32], [0, 1], mid_block_type=None),
    "mid_block_scale_factor 1.5, gelu": net([16, 32], [0, 1], mid_block_scale_factor=1.5, act_fn="gelu"),
    "mish, time_embedding_dim 48": net([16, 32], [0, 0], act_fn="mish", time_embedding_dim=48),
    "not square": net([16, 32, 32], [0, 0, 1], sample_size=[16, 24]),
    "greyscale": net([16, 32], [0, 1], in_channels=1, out_channels=1),
    "4 channels in, 8 out": net([16, 32], [0, 1], in_channels=4, out_channels=8),
    "fourier time": net([16, 32], [0, 1], time_embedding_type="fourier"),
    "learned time": net([16, 32], [0, 0], time_embedding_type="learned", num_train_timesteps=1000),
    "six levels": net([8, 8, 16, 16, 24, 24], [0, 0, 0, 1, 1, 0], sample_size=32, layers_per_block=1),
}


def inputs(config, seed, batch=2, size=None):
    generator = torch.Generator().manual_seed(seed)
    height, width = (config.sample_size,) * 2 if isinstance(config.sample_size, int) else config.sample_size
    if size:
        height = width = size
    fourier = config.time_embedding_type == "fourier"
    tensors = {
        "x": torch.randn(batch, config.in_channels, height, width, generator=generator),
        "t": torch.tensor([0.3, 61.0][:batch]) if fourier else torch.tensor([0, 731][:batch]),
        "weight": torch.randn(batch, config.out_channels, height, width, generator=generator),
    }
    if config.class_embed_type == "identity":
        width_of_time = config.time_embedding_dim or 4 * config.block_out_channels[0]
        tensors["y"] = torch.randn(batch, width_of_time, generator=generator)
    elif config.class_embed_type or config.num_class_embeds:
        tensors["y"] = torch.tensor([3, 9][:batch])
    return tensors


def evaluate(unet, tensors, dtype):
    unet = copy.deepcopy(unet).to(dtype).eval()
    t, y = tensors["t"], tensors.get("y")
    t = t.to(dtype) if t.is_floating_point() else t
    y = y.to(dtype) if y is not None and y.is_floating_point() else y
    if unet.config.class_embed_type == "timestep":  # diffusers leaves the label's embedding in float32
        unet.class_embedding.register_forward_pre_hook(lambda _, arguments: (arguments[0].to(dtype),))
    output = unet(tensors["x"].to(dtype), t, class_labels=y).sample
    (output * tensors["weight"].to(dtype)).sum().backward()
    gradients = {name: p.grad for name, p in unet.named_parameters() if p.requires_grad}
    return output.detach(), gradients


def compare(programs, report, row, unet, folder, seed, size=None, dtypes=("float32", "float64")):
    tensors = inputs(unet.config, seed, batch=1 if size else 2, size=size)
    theirs = {"float32": evaluate(unet, tensors, torch.float32), "float64": evaluate(unet, tensors, torch.float64)}
    exact = {name: g.abs().max().item() for name, g in theirs["float64"][1].items()}
    largest = max(exact.values())
    for dtype in dtypes:
        bound = 2e-5 if dtype == "float32" else 1e-10
        ours, _ = programs.ask("network", folder, dtype, "plain", tensors=tensors)
        output, gradients = theirs[dtype]
        report(f"{row}: output, {dtype}", relative(ours.pop("output"), output), bound)
        if set(ours) != {"grad." + name for name in gradients}:
            raise RuntimeError(f"{row}: gradients of {set(ours) ^ {'grad.' + n for n in gradients}}")
        for name, gradient in gradients.items():
            # Differences are relative to the scale of each parameter's gradient, but to at least a share of the whole gradient's
            # scale, 1e-4 in float64 and 1e-3 in float32. A smaller gradient is a sum of larger numbers, and how alike the two
            # programs round them depends on the machine: a difference of 5e-9 of the whole gradient's scale, less than float32's
            # unit, was 2.8e-5 of one bias' scale on a Xeon and 9e-6 on an EPYC. If the exact gradient is zero, only rounding is
            # computed, and the scale is the whole gradient's. That is so for a key's bias, which softmax cancels, and for
            # parameters before a norm of one channel in each group.
            share = 1e-3 if dtype == "float32" else 1e-4
            kind, floor = ("gradients", share * largest) if exact[name] > 1e-12 * largest else ("zero gradients", largest)
            difference = relative(ours["grad." + name], gradient, floor)
            if dtype == "float32" and kind == "gradients":
                # Two rounded gradients differ by the errors of both. The error of diffusers' is known and subtracted.
                report(f"{row}: {kind}, {dtype}", difference)
                difference = max(0.0, difference - relative(gradient, theirs["float64"][1][name], floor))
                kind = "gradients beyond diffusers' own rounding"
            report(f"{row}: {kind}, {dtype}", difference, bound)
    # The fast kernels round differently, and Winograd's transforms cost a digit.
    ours, _ = programs.ask("network", folder, "float32", "fast", tensors=tensors)
    output, gradients = theirs["float64"]
    report(f"{row}: fast kernels, output", relative(ours["output"], output), 2e-4)
    report(f"{row}: fast kernels, output, RMS", relative_rms(ours["output"], output), 1e-5)
    for name, gradient in gradients.items():
        if exact[name] > 1e-12 * largest:
            report(f"{row}: fast kernels, gradients", relative(ours["grad." + name], gradient, 1e-3 * largest), 2e-4)


def old_names(state):
    renamed = {}
    for name, tensor in state.items():
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            name = name.replace(f".{new}.", f".{old}.")
        renamed[name] = tensor
    return renamed


def google(channels, attention, size, **more):
    down = [ATTN_DOWN if i == attention else DOWN for i in range(len(channels))]
    up = [name.replace("Down", "Up") for name in reversed(down)]
    return dict(sample_size=size, block_out_channels=channels, layers_per_block=2, down_block_types=down, up_block_types=up,
                downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6, attention_head_dim=None) | more


PUBLISHED = {  # by their configuration: parameters, and the size that is evaluated
    "google/ddpm-cifar10-32": (google([128, 256, 256, 256], 1, 32), 35_746_307, 32),
    "google/ddpm-celebahq-256": (google([128, 128, 256, 256, 512, 512], 4, 256), 113_673_219, 64),
}


def run(programs, report):
    for seed, (name, config) in enumerate(ARCHITECTURES.items()):
        folder = programs.work / f"net{seed}"
        torch.manual_seed(seed)
        unet = randomize(UNet2DModel(**config), seed)
        save_pipeline(unet, folder)
        compare(programs, report, "U-Nets written by diffusers", unet, folder, seed)

        written = programs.work / f"net{seed}-ours"
        programs.run(programs.parity, "init", folder / "unet" / "config.json", written)
        theirs = UNet2DModel.from_pretrained(str(written / "unet"))
        compare(programs, report, "U-Nets written here", theirs, written, seed)
    for name, (config, parameters, size) in PUBLISHED.items():
        torch.manual_seed(0)
        unet = UNet2DModel(**config)
        if sum(p.numel() for p in unet.parameters()) != parameters:
            raise RuntimeError(f"{name}: not {parameters} parameters")
        layouts = {"unet/": programs.work / "published", "root": programs.work / "published-root"}
        save_pipeline(unet, layouts["unet/"])
        # As the hub has them: everything at the root, attention under its old names.
        layouts["root"].mkdir(exist_ok=True)
        save(old_names(unet.state_dict()), layouts["root"] / "diffusion_pytorch_model.safetensors")
        write_json(dict(unet.config) | {"_class_name": "UNet2DModel"}, layouts["root"] / "config.json")
        write_json({"_class_name": "DDPMScheduler"}, layouts["root"] / "scheduler_config.json")
        for layout, folder in layouts.items():
            compare(programs, report, f"{name}, {layout}", unet, folder, 1, size=size, dtypes=("float32",))
