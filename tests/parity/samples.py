"""Whole samples: the same x_T and the same noise through `ddpm sample` and through diffusers, 50 steps."""
import numpy
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.schedulers import scheduling_ddpm
from safetensors.torch import load_file

from networks import net
from tools import randomize, save, save_pipeline

STEPS = 50


def draw_theirs(pipeline, sampler, eta, clip, noise):
    unet, config = pipeline.unet, dict(pipeline.scheduler.config) | dict(clip_sample=clip)
    learned = config["variance_type"] == "learned_range"
    if sampler == "ddim":
        config = {k: v for k, v in config.items() if k not in ("variance_type", "_class_name", "_diffusers_version")}
    scheduler = (DDPMScheduler if sampler == "ancestral" else DDIMScheduler).from_config(config)
    scheduler.set_timesteps(STEPS)
    x = noise["x_T"]
    for i, t in enumerate(scheduler.timesteps):
        with torch.inference_mode():
            output = unet(x, t.expand(len(x))).sample
        z = noise["noise"][i]
        if sampler == "ancestral":
            scheduling_ddpm.randn_tensor = lambda *args, **kwargs: z
            x = scheduler.step(output, t, x).prev_sample
        else:
            output = output[:, :x.shape[1]] if learned else output
            x = scheduler.step(output, t, x, eta=eta, use_clipped_model_output=True,
                               variance_noise=z if eta > 0 else None).prev_sample
    return x


def draw_ours(programs, folder, sampler, eta, clip, noise, kernels="plain"):
    save(noise, programs.work / "noise.safetensors")
    flags = ["--sampler", sampler, "--steps", STEPS, "--noise", programs.work / "noise.safetensors"]
    flags += ["--eta", eta] if sampler == "ddim" else []
    flags += [] if clip else ["--no-clip"]
    flags += ["--kernels", kernels]
    out = programs.work / "samples"
    programs.run(programs.program, "sample", "--ckpt", folder, "--out", out, "--overwrite", "--format", "safetensors",
                 "--quiet", *flags)
    return load_file(out / "samples.safetensors")["images"]


def bytes_of(x):
    return (x / 2 + 0.5).clamp(0, 1).mul(255).round()


def compare(programs, report, row, folder, noise):
    pipeline = DDPMPipeline.from_pretrained(str(folder))
    for sampler, eta in (("ancestral", 0.0), ("ddim", 0.0), ("ddim", 0.5), ("ddim", 1.0)):
        for clip in (True, False):
            ours = bytes_of(draw_ours(programs, folder, sampler, eta, clip, noise))
            theirs = bytes_of(draw_theirs(pipeline, sampler, eta, clip, noise))
            difference = (ours - theirs).abs()
            report(f"{row}: largest difference of a value, in 1/255", difference.max(), 2)
            report(f"{row}: share of values off by more than 1/255", (difference > 1).float().mean(), 1e-3)
            report(f"{row}: share of values that differ at all", (difference > 0).float().mean())


def random_pipeline(folder, scheduler, channels_out=3):
    torch.manual_seed(7)
    unet = randomize(UNet2DModel(**net([16, 32], [0, 1], out_channels=channels_out)), 7)
    save_pipeline(unet, folder, scheduler)


def run(programs, report, run_folder, learned_folder):
    """run_folder: a checkpoint that this program trained; learned_folder: one whose network predicts its variance too."""
    g = torch.Generator().manual_seed(1)
    noise = dict(x_T=torch.randn(8, 3, 16, 16, generator=g), noise=torch.randn(STEPS, 8, 3, 16, 16, generator=g))
    pipelines = {
        "a random pipeline of diffusers": DDPMScheduler(),
        "the same, cosine, v_prediction, fixed_large":
            DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", variance_type="fixed_large"),
        "the same, learned_range": DDPMScheduler(variance_type="learned_range"),
    }
    for number, (name, scheduler) in enumerate(pipelines.items()):
        folder = programs.work / f"pipeline{number}"
        random_pipeline(folder, scheduler, 6 if scheduler.config.variance_type == "learned_range" else 3)
        compare(programs, report, name, folder, noise)
    compare(programs, report, "a run of this program", run_folder, noise)
    compare(programs, report, "a run of this program, learned_range", learned_folder, noise)
    compare_formats(programs, report, run_folder, noise)


def compare_formats(programs, report, folder, noise):
    """What numpy.load finds in an .npz is the float32 images, rounded."""
    images = draw_ours(programs, folder, "ddim", 0.0, True, noise, kernels="fast")
    programs.run(programs.program, "sample", "--ckpt", folder, "--out", programs.work / "npz", "--overwrite", "--quiet",
                 "--format", "npz", "--sampler", "ddim", "--steps", STEPS, "--eta", 0, "--noise",
                 programs.work / "noise.safetensors")
    array = numpy.load(programs.work / "npz" / "samples.npz")["arr_0"]
    if array.dtype != numpy.uint8:
        raise RuntimeError(f"samples.npz holds {array.dtype}")
    difference = numpy.abs(array.astype(float) - bytes_of(images).permute(0, 2, 3, 1).double().numpy()).max()
    report("samples.npz by numpy.load against samples.safetensors", difference, 0)
