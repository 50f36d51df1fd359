"""Whole training: 20 steps of AdamW with clipping and EMA on fixed batches, times and noise."""
import copy
import math

import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel, compute_snr

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


def weights(scheduler, t, prediction, weighting):
    """min-SNR as diffusers' training scripts do it; P2 as in its paper, in float64, because 1 - alphas_cumprod has few digits in float32."""
    if weighting == "simple":
        return torch.ones(len(t))
    if weighting == "min_snr":
        snr = compute_snr(scheduler, t)
        of_x0 = snr.clamp(max=5.0)
    else:
        kept = torch.cumprod(1 - scheduler.betas.double(), 0)[t]
        snr = kept / (1 - kept)
        of_x0 = snr / (1 + snr)
    return of_x0 / {"epsilon": snr, "sample": torch.ones(len(t)), "v_prediction": snr + 1}[prediction]


def variance_loss(scheduler, x, t, noise, predicted, v, prediction):
    """(T/1000) L_t in bits per dimension, with the mean detached (Improved DDPM). The tables are float64: of 1 - alphas_cumprod, which
    diffusers has in float32, the first times keep three or four digits, and L_t is large there."""
    column = lambda table: table.to(x.dtype)[t].view(-1, 1, 1, 1)
    betas = scheduler.betas.double()
    kept = torch.cumprod(1 - betas, 0)
    before = torch.cat([torch.ones(1, dtype=kept.dtype), kept[:-1]])
    tilde = betas * (1 - before) / (1 - kept)
    log_tilde = torch.cat([tilde[1:2], tilde[1:]]).log()
    a, sigma = column(kept.sqrt()), column((1 - kept).sqrt())
    predicted = predicted.detach()
    x_t = a * x + sigma * noise
    x0 = {"epsilon": lambda: (x_t - sigma * predicted) / a, "sample": lambda: predicted,
          "v_prediction": lambda: a * x_t - sigma * predicted}[prediction]()
    off = column(betas * before.sqrt() / (1 - kept)) * (x - x0)
    f = (v + 1) / 2
    log_variance = f * column(betas.log()) + (1 - f) * column(log_tilde)
    kl = 0.5 * (log_variance - column(log_tilde) + (column(log_tilde) - log_variance).exp() - 1 + off ** 2 * (-log_variance).exp())
    if (t == 0).any():
        raise RuntimeError("t = 0 has another term")
    return len(betas) / 1000 / math.log(2) * kl.mean(dim=(1, 2, 3))


def theirs(unet, tensors, case, weight_decay, clip, dtype=torch.float32):
    """`unet` is left as it was. Returns losses, gradient norms, weights and their EMA."""
    prediction, weighting, learned = case
    unet = copy.deepcopy(unet).to(dtype).train()
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type=prediction)
    ema = EMAModel(unet.parameters(), decay=0.9999)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=2e-4, weight_decay=weight_decay)
    losses, norms = [], []
    for x, t, noise in zip(tensors["x_start"].to(dtype), tensors["t"], tensors["noise"].to(dtype)):
        target = {"epsilon": noise, "sample": x, "v_prediction": scheduler.get_velocity(x, noise, t)}[prediction]
        x_t = scheduler.add_noise(x, noise, t)
        answer = unet(x_t, t).sample
        predicted = answer[:, :3]
        loss = torch.nn.functional.mse_loss(predicted, target, reduction="none").mean(dim=(1, 2, 3))
        loss = loss * weights(scheduler, t, prediction, weighting).to(dtype)
        if learned:
            loss = loss + variance_loss(scheduler, x, t, noise, predicted, answer[:, 3:], prediction)
        loss = loss.mean()
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(unet.parameters(), clip).item())
        optimizer.step()
        ema.step(unet.parameters())
        losses.append(loss.item())
    raw = {name: p.detach().clone() for name, p in unet.named_parameters()}
    ema.copy_to(unet.parameters())
    return losses, norms, raw, {name: p.detach() for name, p in unet.named_parameters()}


def run(programs, report):
    tensors = data()
    for case in (("epsilon", "simple", False), ("sample", "simple", False), ("v_prediction", "simple", False),
                 ("epsilon", "min_snr", False), ("v_prediction", "min_snr", False), ("sample", "p2", False),
                 ("v_prediction", "p2", True), ("epsilon", "simple", True)):
        prediction, weighting, learned = case
        of = "20 training steps" + (", weights of the loss" if weighting != "simple" else "")
        of += ", learned variance" if learned else ""
        clip = 1.0 if weighting == "simple" else 0.1  # weights make gradients smaller
        torch.manual_seed(3)
        unet = randomize(UNet2DModel(**net(CHANNELS, [0, 1], out_channels=6 if learned else 3)), 3)
        folder = programs.work / "start"
        save_pipeline(unet, folder)
        config = programs.work / "train.json"
        keys = ("norm_num_groups", "layers_per_block", "block_out_channels", "down_block_types", "up_block_types",
                "attention_head_dim", "norm_eps", "downsample_padding", "flip_sin_to_cos", "freq_shift")
        write_json({"dataset": {"type": "shapes", "image_size": 16},
                    "model": {key: unet.config[key] for key in keys},
                    "diffusion": {"schedule": "cosine", "prediction_type": prediction,
                                  "variance_type": "learned_range" if learned else "fixed_small"},
                    "train": {"steps": 100, "batch_size": BATCH, "learning_rate": 2e-4, "weight_decay": 0.01,
                              "warmup_steps": 0, "ema_decay": 0.9999, "clip_grad_norm": clip,
                              "loss_weighting": weighting}}, config)
        ours, _ = programs.ask("train", config, folder, tensors=tensors)
        losses, norms, raw, ema = theirs(unet, tensors, case, 0.01, clip)
        if max(norms) < clip:
            raise RuntimeError(f"clipping never acted: {case}, {max(norms)}")
        rel = lambda a, b: ((a - torch.tensor(b, dtype=torch.float64)).abs() / torch.tensor(b, dtype=torch.float64)).max()
        exact_losses, _, exact, _ = theirs(unet, tensors, case, 0.01, clip, torch.float64)
        # L_t is a small difference of large numbers, so its float32 is judged by float64, of which this program computes it.
        report(f"{of}: losses", rel(ours["losses"], exact_losses if learned else losses), 1e-5)
        report("  the same in float32 there against float64", rel(torch.tensor(losses, dtype=torch.float64), exact_losses))
        report(f"{of}: gradient norms", rel(ours["grad_norms"], norms))
        # The difference is absolute; weights move by up to 4e-3 here. Adam makes whole steps even of gradients that are little more
        # than rounding, so that relative to a parameter float32 is far from float64. Both programs' distances are reported.
        for name in raw:
            report(f"{of}: weights", (ours["raw." + name] - raw[name]).abs().max(), 1e-4)
            report(f"{of}: EMA", (ours["ema." + name] - ema[name]).abs().max(), 1e-4)
            report(f"{of}: weights, relative to each parameter", relative(ours["raw." + name], raw[name]))
            report("  the same here against float64", relative(ours["raw." + name], exact[name]))
            report("  the same in diffusers against float64", relative(raw[name], exact[name]))
