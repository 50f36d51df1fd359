#!/usr/bin/env python3
"""Time diffusers' pipelines sampling pictures from a checkpoint folder, without import and loading. One JSON line.

  bench_sampling.py --ckpt FOLDER --pipeline ddim|ddpm --n 64 --steps 50
"""
import argparse, json, resource, time


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ckpt", required=True)
    p.add_argument("--pipeline", default="ddim", choices=["ddim", "ddpm"])
    p.add_argument("--n", type=int, default=64)
    p.add_argument("--steps", type=int, default=50)
    a = p.parse_args()
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
    unet = UNet2DModel.from_pretrained(a.ckpt, subfolder="unet").eval()
    kind, scheduler = (DDIMPipeline, DDIMScheduler) if a.pipeline == "ddim" else (DDPMPipeline, DDPMScheduler)
    pipeline = kind(unet, scheduler.from_pretrained(a.ckpt, subfolder="scheduler"))
    pipeline.set_progress_bar_config(disable=True)
    start = time.perf_counter()
    images = pipeline(batch_size=a.n, num_inference_steps=a.steps, generator=torch.Generator().manual_seed(0)).images
    ms = 1e3 * (time.perf_counter() - start)
    assert len(images) == a.n
    print(json.dumps(dict(impl="diffusers", params=sum(x.numel() for x in unet.parameters()), ms_median=round(ms, 1),
                          ms_min=round(ms, 1), peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))))


if __name__ == "__main__":
    main()
