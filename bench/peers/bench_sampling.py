#!/usr/bin/env python3
"""Time diffusers sampling pictures from a checkpoint folder, without import and loading. One JSON line.

  bench_sampling.py --ckpt FOLDER --pipeline ddim|ddpm|dpmpp_2m|guided --n 64 --steps 50

guided is DDIM by a network with labels, whose last one is empty: diffusers has no pipeline for it, so it is the loop that its
pipelines of guided networks write, one batch of 2N a step.
"""
import argparse, json, resource, time

SCALE = 3.0


def guided(unet, scheduler, n, steps, torch):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, unet.config.in_channels, unet.config.sample_size, unet.config.sample_size, generator=generator)
    empty = unet.config.num_class_embeds - 1
    labels = torch.cat([torch.arange(n) % empty, torch.full((n,), empty)])
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        conditional, unconditional = unet(torch.cat([x, x]), t, class_labels=labels).sample.chunk(2)
        x = scheduler.step(unconditional + SCALE * (conditional - unconditional), t, x, use_clipped_model_output=True).prev_sample
    return (x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).numpy()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ckpt", required=True)
    p.add_argument("--pipeline", default="ddim", choices=["ddim", "ddpm", "dpmpp_2m", "guided"])
    p.add_argument("--n", type=int, default=64)
    p.add_argument("--steps", type=int, default=50)
    a = p.parse_args()
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
    unet = UNet2DModel.from_pretrained(a.ckpt, subfolder="unet").eval()
    kinds = dict(ddim=(DDIMPipeline, DDIMScheduler, {}), ddpm=(DDPMPipeline, DDPMScheduler, {}),
                 dpmpp_2m=(DDPMPipeline, DPMSolverMultistepScheduler, dict(timestep_spacing="trailing")),
                 guided=(None, DDIMScheduler, {}))
    kind, of_scheduler, settings = kinds[a.pipeline]
    scheduler = of_scheduler.from_pretrained(a.ckpt, subfolder="scheduler", **settings)
    if kind:
        pipeline = kind(unet, scheduler)
        pipeline.set_progress_bar_config(disable=True)
    start = time.perf_counter()
    if kind:
        images = pipeline(batch_size=a.n, num_inference_steps=a.steps, generator=torch.Generator().manual_seed(0)).images
    else:
        with torch.no_grad():
            images = guided(unet, scheduler, a.n, a.steps, torch)
    ms = 1e3 * (time.perf_counter() - start)
    assert len(images) == a.n
    print(json.dumps(dict(impl="diffusers", params=sum(x.numel() for x in unet.parameters()), ms_median=round(ms, 1),
                          ms_min=round(ms, 1), peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))))


if __name__ == "__main__":
    main()
