"""Whole training: 20 steps of AdamW with clipping and EMA on fixed batches, times and noise."""
import copy

import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel

from networks import net
from tools import randomize, relative, save_pipeline, write_json

STEPS, BATCH = 20, 8
CHANNELS = [16, 32]


def data():
    g = torch.Generator().manual_seed(2)
    shape = (STEPS, BATCH, 3, 16, 16)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(STEPS * BATCH, 3, 18, 18, generator=g), 3, stride=1)
    return dict(x_start=smooth.reshape(shape).clamp(-1, 1), t=torch.randint(0, 1000, (STEPS, BATCH), generator=g),
                noise=torch.randn(shape, generator=g))


def theirs(unet, tensors, prediction, weight_decay, dtype=torch.float32):
    """`unet` is left as it was. Returns losses, gradient norms, weights and their EMA."""
    unet = copy.deepcopy(unet).to(dtype).train()
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type=prediction)
    ema = EMAModel(unet.parameters(), decay=0.9999)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=2e-4, weight_decay=weight_decay)
    losses, norms = [], []
    for x, t, noise in zip(tensors["x_start"].to(dtype), tensors["t"], tensors["noise"].to(dtype)):
        target = {"epsilon": noise, "sample": x, "v_prediction": scheduler.get_velocity(x, noise, t)}[prediction]
        loss = torch.nn.functional.mse_loss(unet(scheduler.add_noise(x, noise, t), t).sample, target)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0).item())
        optimizer.step()
        ema.step(unet.parameters())
        losses.append(loss.item())
    raw = {name: p.detach().clone() for name, p in unet.named_parameters()}
    ema.copy_to(unet.parameters())
    return losses, norms, raw, {name: p.detach() for name, p in unet.named_parameters()}


def run(programs, report):
    tensors = data()
    for prediction in ("epsilon", "sample", "v_prediction"):
        torch.manual_seed(3)
        unet = randomize(UNet2DModel(**net(CHANNELS, [0, 1])), 3)
        folder = programs.work / "start"
        save_pipeline(unet, folder)
        config = programs.work / "train.json"
        keys = ("norm_num_groups", "layers_per_block", "block_out_channels", "down_block_types", "up_block_types",
                "attention_head_dim", "norm_eps", "downsample_padding", "flip_sin_to_cos", "freq_shift")
        write_json({"dataset": {"type": "shapes", "image_size": 16},
                    "model": {key: unet.config[key] for key in keys},
                    "diffusion": {"schedule": "cosine", "prediction_type": prediction},
                    "train": {"steps": 100, "batch_size": BATCH, "learning_rate": 2e-4, "weight_decay": 0.01,
                              "warmup_steps": 0, "ema_decay": 0.9999, "clip_grad_norm": 1.0}}, config)
        ours, _ = programs.ask("train", config, folder, tensors=tensors)
        losses, norms, raw, ema = theirs(unet, tensors, prediction, 0.01)
        if max(norms) < 1:
            raise RuntimeError("clipping never acted")
        rel = lambda a, b: ((a - torch.tensor(b, dtype=torch.float64)).abs() / torch.tensor(b, dtype=torch.float64)).max()
        report("20 training steps: losses", rel(ours["losses"], losses), 1e-5)
        report("20 training steps: gradient norms", rel(ours["grad_norms"], norms))
        # The difference is absolute; weights move by up to 4e-3 here. Adam makes whole steps even of gradients that are little more
        # than rounding, so that relative to a parameter float32 is far from float64. Both programs' distances are reported.
        exact = theirs(unet, tensors, prediction, 0.01, torch.float64)[2]
        for name in raw:
            report("20 training steps: weights", (ours["raw." + name] - raw[name]).abs().max(), 1e-4)
            report("20 training steps: EMA", (ours["ema." + name] - ema[name]).abs().max(), 1e-4)
            report("20 training steps: weights, relative to each parameter", relative(ours["raw." + name], raw[name]))
            report("  the same here against float64", relative(ours["raw." + name], exact[name]))
            report("  the same in diffusers against float64", relative(raw[name], exact[name]))
