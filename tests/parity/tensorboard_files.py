"""Event files of train.tensorboard, read by TensorBoard's own reader beside metrics.jsonl and samples/ of the same run."""
import json
import math

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util


def events(run):
    reader = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0, "scalars": 0, "images": 0})
    reader.Reload()
    return reader


def curve(reader, tag):
    """{step: value}. A step that a reader shows twice is an error."""
    kinds = reader.Tags()
    points = [(p.step, p.value) for p in reader.Scalars(tag)] if tag in kinds["scalars"] else [
        (p.step, tensor_util.make_ndarray(p.tensor_proto).item()) for p in reader.Tensors(tag)]
    if len(dict(points)) != len(points):
        raise RuntimeError(f"{tag}: a step is there twice")
    return dict(points)


def off(ours, theirs):
    """The largest relative difference, infinite where steps differ; null in metrics.jsonl stands for what is not finite."""
    if ours.keys() != theirs.keys():
        return math.inf
    differences = [0.0]
    for step, value in theirs.items():
        if value is None:
            differences.append(math.inf if math.isfinite(ours[step]) else 0.0)
        else:
            differences.append(abs(ours[step] - value) / max(abs(value), 1e-30))
    return max(differences)


def run(programs, report, config):
    folder = programs.work / "watched"
    command = ["train", "--config", config, "--out", folder, "--quiet", "--device", "cpu",
               "--set", "model.block_out_channels=[8, 16]", "--set", "model.attention_resolutions=[8]", "--set", "model.layers_per_block=1", "--set", "model.norm_num_groups=4",
               "--set", "train.steps=40", "--set", "train.batch_size=4", "--set", "train.warmup_steps=4",
               "--set", "train.checkpoint_every=10", "--set", "train.validate_every=10", "--set", "dataset.holdout=16",
               "--set", "train.sample_every=10", "--set", "train.sample_images=4", "--set", "train.sample_steps=2",
               "--set", "train.tensorboard=true"]
    programs.run(programs.program, *command)
    # A run that goes on from an earlier checkpoint, with the last event torn, as a kill leaves it.
    checkpoints = sorted((folder / "checkpoints").glob("step-*"))
    for gone in checkpoints[-1:]:
        gone.rename(programs.work / gone.name)
    first = min((folder / "tensorboard").iterdir())
    first.write_bytes(first.read_bytes()[:-7])
    (folder / "loss.png").unlink()
    programs.run(programs.program, *command, "--resume")

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    measured = [line for line in lines if "validation" in line]
    reader = events(folder)
    for tag, key in (("train/loss", "loss"), ("train/grad_norm", "grad_norm"), ("train/lr", "lr")):
        report("TensorBoard's reader: a curve against metrics.jsonl, over a resume", off(curve(reader, tag), {
            line["step"]: line[key] for line in steps}), 1e-6)
    for network in ("raw", "ema"):
        report("TensorBoard's reader: loss on held-out images", off(curve(reader, f"validation/{network}"), {
            line["step"]: line["validation"][network]["loss"] for line in measured}), 1e-6)
    images = {image.step: image.encoded_image_string for image in reader.Images("samples")}
    files = {int(file.stem.split("-")[1]): file.read_bytes() for file in (folder / "samples").glob("*.png")}
    report("TensorBoard's reader: grids that are not those of samples/", 0.0 if images == files else 1.0, 0.0)
