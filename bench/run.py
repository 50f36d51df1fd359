#!/usr/bin/env python3
"""Runs this program and its peers in turns (A B C A B C …) and writes the table of their ratios.

The speed of a shared machine drifts by a fifth between runs, so that one program's median says little. Each turn gives the ratio
of two timings that follow each other, and a row's ratio is the median over the turns, for the peer against which it is lowest. If
inference engines run beside diffusers, each kind of peer has a line of its own.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).parent
BATCH = {"s32": 16, "s64": 16, "cifar10": 8}
PAGE = HERE.parent / "docs" / "speed.md"


@dataclass
class Run:
    """The command of one competitor. It prints a line of JSON. With `wall` the whole process is timed instead."""
    label: str
    command: list
    wall: bool = False
    once: bool = False  # it runs in the first turn only, because it takes minutes to compile
    kind: str = ""  # peers of one kind share a line of the table; its name is the row's and this
    env: dict = field(default_factory=dict)


@dataclass
class Row:
    name: str
    ours: Run
    peers: list
    turns: int = 99  # the most that it runs

    def lines(self):
        """Names of the table's lines, each with its peers."""
        kinds = dict.fromkeys(run.kind for run in self.peers)
        return {self.name + kind: [run for run in self.peers if run.kind == kind] for kind in kinds}


def against(rows, build, earlier):
    """Returns the rows with an earlier build of this program as the only peer. A ratio above 1 says that it has become faster."""
    def its(command):
        return [earlier / part.relative_to(build) if part in (build / "bench_ddpm", build / "ddpm") else part for part in command]
    return [dataclasses.replace(row, peers=[dataclasses.replace(row.ours, label="earlier", command=its(row.ours.command))])
            for row in rows]


def peer(script, *arguments, label, **more):
    return Run(label, [sys.executable, HERE / "peers" / script, *arguments], **more)


class Table:
    def __init__(self, build, full, gpu=False):
        self.bench, self.program, self.full, self.rows = build / "bench_ddpm", build / "ddpm", full, []
        if gpu:
            self.on_gpu()
            return
        for net in ("s64", "cifar10"):
            for what in ("train", "forward"):
                for dtype in ("fp32", "bf16"):
                    self.network(net, what, dtype)
        for what in ("train", "forward"):
            self.network("s32", what, "fp32")
            self.network("s64", what, "fp32", threads=1)
            if full:
                self.network("s32", what, "bf16")
                self.network("s64", what, "bf16", threads=1)
        for net in ("s64", "cifar10"):
            for what in ("train", "forward"):
                self.network(net, what, "fp32", avx2=True)
        self.rest(build)

    def network(self, net, what, dtype, threads=0, avx2=False):
        flags = ["--net", net, "--what", what, "--dtype", dtype, "--batch", BATCH[net]] + (["--threads", threads] if threads else [])
        counts = ["--warmup", 3, "--steps", 10 if what == "train" else 20]
        env = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"} if avx2 else {}
        diffusers = lambda mode, *more, **kind: peer("bench_diffusers.py", "--mode", mode, *more, *flags, *counts, env=env,
                                                     label=f"diffusers {mode}" + (" foreach" if more else ""), **kind)
        peers = [diffusers("eager"), diffusers("channels_last")]
        if what == "train":
            peers.append(diffusers("eager", "--foreach"))
        if (net == "s64" or self.full) and not threads and not avx2:  # neither it nor the engines obey the cap
            peers.append(diffusers("compile", once=True))
        if what == "forward" and not threads and not avx2:
            for engine in ("openvino-fp32", "onnxruntime") if dtype == "fp32" else ("openvino-bf16",):
                peers.append(peer("bench_inference_engines.py", "--engine", engine, "--net", net, "--batch", BATCH[net], *counts,
                                  label=engine, kind=", engines"))
        self.rows.append(Row(f"{net} {what} {dtype}" + (f" {threads} thread" if threads else "") + (", AVX2 alone" if avx2 else ""),
                             Run("ddpm", [self.bench, *flags, *counts, *(["--cpu-capability", "avx2"] if avx2 else [])], env=env),
                             peers))

    def sampling(self, build, name, kind, classes, n, steps, flags, run="s32", turns=99):
        checkpoint = build / run / "checkpoints" / "step-000001"
        ours = [self.program, "sample", "--ckpt", checkpoint, "--n", n, "--batch", n, "--steps", steps, *flags,
                "--out", build / "drawn", "--overwrite"]
        theirs = ["--ckpt", checkpoint, "--pipeline", kind, "--n", n, "--steps", steps]
        self.rows.append(Row(name, Run("ddpm", ours, wall=True), [peer("bench_sampling.py", *theirs, label=f"diffusers {classes}")],
                             turns))

    def calls_alone(self, build, name, kind, classes, n, steps, flags):
        """What sampling() compares, without the start of our program and its PNGs, which are much of few steps."""
        ours = [self.bench, "--what", "sample", "--net", "s32", "--batch", n, "--sampling-steps", steps, *flags, "--warmup", 0,
                "--steps", 1]
        theirs = ["--ckpt", build / "s32" / "checkpoints" / "step-000001", "--pipeline", kind, "--n", n, "--steps", steps]
        self.rows.append(Row(name + ", the calls alone", Run("ddpm", ours),
                             [peer("bench_sampling.py", *theirs, label=f"diffusers {classes}")]))

    def judging(self, build):
        """Features of pictures, with the same random weights in both, and a whole evaluation of two folders of 256 pictures."""
        weights = build / "inception.pth"
        ours = lambda features, size: Run("ddpm", [self.bench, "--what", "features", "--features", features, "--size", size,
                                                   "--batch", 64, "--warmup", 1, "--steps", 4])
        theirs = lambda label, *more: peer("bench_features.py", "--batch", 64, *more, label=label)
        for size in (16, 32, 64):
            self.rows.append(Row(f"scatter features of 64 pictures of {size}x{size}", ours("scatter", size),
                                 [theirs("Kymatio", "--features", "scatter", "--size", size)]))
        self.rows.append(Row("Inception features of 64 pictures of 32x32", ours(f"inception:{weights}", 32),
                             [theirs("torch-fidelity", "--features", "inception", "--weights", weights, "--size", 32)]))
        judged = [self.program, "eval", "quality", "--samples", build / "judged", "--data", build / "real", "--real", 256,
                  "--features", f"inception:{weights}", "--metrics", "fd,kid"]
        evaluated = theirs("torch-fidelity", "--evaluate", build / "judged", build / "real", "--weights", weights)
        self.rows.append(Row("FD and KID of 256 pictures by Inception", Run("ddpm", judged, wall=True),
                             [dataclasses.replace(evaluated, wall=True)], turns=3))

    def on_gpu(self):
        for what, batch, more in (("train", 128, ["--warmup", 6, "--steps", 30]), ("forward", 128, ["--warmup", 6, "--steps", 30]),
                                  ("sample", 64, ["--warmup", 1, "--steps", 4])):
            flags = ["--device", "cuda", "--net", "cifar10", "--dtype", "bf16", "--what", what, "--batch", batch, *more]
            peers = [peer("bench_diffusers.py", "--mode", mode, "--foreach", *flags, label=f"diffusers {mode}", once=True)
                     for mode in ("eager", "channels_last", "compile", "compile_graphs")]
            name = {"sample": "64 pictures of cifar10, 50 DDIM steps"}.get(what, f"cifar10 {what}") + " bf16, GPU"
            self.rows.append(Row(name, Run("ddpm", [self.bench, *flags]), peers if self.full else peers[2:]))

    def rest(self, build):
        counts = ["--net", "s64", "--what", "train", "--batch", 16, "--warmup", 3, "--steps", 10]
        self.rows.append(Row("s64 train, defaults of both", Run("ddpm", [self.bench, *counts]),
                             [peer("bench_diffusers.py", *counts, label="diffusers")]))
        for threads in ([], ["--threads", 1]):
            self.rows.append(Row("s64 train, two more averages" + (", 1 thread" if threads else ""),
                                 Run("ddpm", [self.bench, *counts, *threads, "--ema-widths", "0.05,0.1"]),
                                 [Run("ddpm, the EMA alone", [self.bench, *counts, *threads])]))
        one = ["--net", "s32", "--batch", 1, "--what", "forward", "--warmup", 0, "--steps", 2]
        self.rows.append(Row("start to first evaluations of s32", Run("ddpm", [self.bench, *one], wall=True),
                             [peer("bench_diffusers.py", *one, label="diffusers", wall=True)]))
        self.rows.append(Row("start of the program (--help)", Run("ddpm", [self.program, "--help"], wall=True),
                             [Run("python, import diffusers", [sys.executable, "-c", "from diffusers import UNet2DModel"], wall=True)]))
        self.sampling(build, "64 pictures of s32, 50 DDIM steps", "ddim", "DDIMPipeline", 64, 50, ["--sampler", "ddim"])
        self.sampling(build, "16 pictures of s32, 1000 ancestral steps", "ddpm", "DDPMPipeline", 16, 1000, ["--sampler", "ancestral"],
                      turns=2)
        self.sampling(build, "64 pictures of s32, 20 DPM-Solver++(2M) steps", "dpmpp_2m", "DDPMPipeline, DPMSolverMultistepScheduler",
                      64, 20, ["--sampler", "dpmpp_2m", "--no-clip"])
        self.calls_alone(build, "64 pictures of s32, 20 DPM-Solver++(2M) steps", "dpmpp_2m",
                         "DDPMPipeline, DPMSolverMultistepScheduler", 64, 20, ["--sampler", "dpmpp_2m", "--no-clip"])
        self.sampling(build, "64 pictures of s32, 50 guided DDIM steps", "guided", "UNet2DModel, DDIMScheduler", 64, 50,
                      ["--sampler", "ddim", "--guidance", 3], run="s32-labels")
        data = ["--images", build / "pictures"]
        self.rows.append(Row("64 JPEGs of 640x480 to 64x64", Run("ddpm", [self.bench, "--what", "data", *data, "--batch", 64]),
                             [peer("bench_loading.py", *data, label="Pillow, threads"),
                              peer("bench_loading.py", *data, "--processes", label="Pillow, processes")]))
        self.judging(build)
        small = ["--net", "s32", "--batch", 16]
        self.rows.append(Row("16 JPEGs of 32x32, beside a step of s32",
                             Run("ddpm", [self.bench, "--what", "data", "--images", build / "thumbnails", "--size", 32, *small]),
                             [Run("ddpm, s32 train fp32", [self.bench, *small, "--what", "train", "--warmup", 3, "--steps", 10])]))


def prepare(build, rows):
    """Makes what the rows need: checkpoints of s32, without and with labels, folders of pictures, and weights of Inception."""
    names = " ".join(row.name for row in rows)
    if "Inception" in names and not (build / "inception.pth").is_file():
        run_peer = lambda *more: subprocess.run([sys.executable, HERE / "peers" / "bench_features.py", *more], check=True)
        for name, seed in (("judged", 0), ("real", 1)):
            run_peer("--make", build / name, "--count", "256", "--size", "32", "--seed", str(seed))
        run_peer("--make-weights", build / "inception.pth.new")
        (build / "inception.pth.new").rename(build / "inception.pth")
    for words, run, more in (("pictures of s32", "s32", []),
                             ("guided", "s32-labels", ["--set", "model.num_class_embeds=11", "--set", "train.class_dropout=0.1"])):
        if words in names:
            subprocess.run([build / "ddpm", "train", "--config", HERE / "s32.json", "--out", build / run, "--overwrite", *more],
                           check=True)
    for folder, width, height in (("pictures", 640, 480), ("thumbnails", 32, 32)):
        if f"JPEGs of {width}x{height}" in names and not (build / folder).is_dir():
            made = build / f"{folder}.new"
            subprocess.run([sys.executable, HERE / "peers" / "bench_loading.py", "--images", made, "--make", "256",
                            "--width", str(width), "--height", str(height)], check=True)
            made.rename(build / folder)


def timed(run):
    command = [str(c) for c in run.command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **run.env})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ms = 1e3 * (time.perf_counter() - begin)
        out.seek(0)
        err.seek(0)
        lines = [line for line in out.read().decode().splitlines() if line.startswith("{")]
        if process.returncode != 0 or not (run.wall or lines):
            raise SystemExit(f"error: {' '.join(command)}: exit code {process.returncode}\n{err.read().decode()[-2000:]}")
    result = json.loads(lines[-1]) if lines else {}
    if run.wall:
        result.update(ms_median=ms, ms_min=ms, peak_rss_mb=usage.ru_maxrss / 1024)
    return result


def run_row(row, turns):
    """Returns the timings of each competitor, one for each turn, and the row's lines of the table."""
    results = {run.label: [] for run in [row.ours, *row.peers]}
    turns = min(turns, row.turns)
    for turn in range(turns):
        for run in [row.ours, *row.peers]:
            if run.once and turn > 0:
                continue
            print(f"{row.name}: turn {turn + 1} of {turns}, {run.label}", file=sys.stderr, flush=True)
            results[run.label].append(timed(run))
    parameters = {r["params"] for timings in results.values() for r in timings if "params" in r}
    if len(parameters) > 1:
        raise SystemExit(f"error: {row.name}: not the same network: {parameters} parameters")
    return results, [line_of(name, results, peers) for name, peers in row.lines().items()]


def line_of(name, results, peers):
    ours = results["ddpm"]
    ratios = {run.label: [peer["ms_median"] / mine["ms_median"] for peer, mine in zip(results[run.label], ours)] for run in peers}
    middle = {label: statistics.median(values) for label, values in ratios.items()}
    fastest = min(middle, key=middle.get)
    median = lambda label, key: statistics.median(r[key] for r in results[label])
    spread = max(ratios[fastest]) - min(ratios[fastest])
    return dict(row=name, ms=median("ddpm", "ms_median"), ms_min=min(r["ms_min"] for r in ours), fastest=fastest,
                peer_ms=median(fastest, "ms_median"), ratio=middle[fastest], spread=spread, all_ratios=middle,
                rss_mb=median("ddpm", "peak_rss_mb"), peer_rss_mb=median(fastest, "peak_rss_mb"))


def number(ms):
    return f"{ms:.1f}" if ms < 10 else f"{ms:.0f}"


def markdown(table):
    lines = ["| row | ddpm, ms | fastest peer | its ms | ratio (spread over turns) | peak RSS, MiB: ddpm / peer |",
             "|---|---|---|---|---|---|"]
    for r in table:
        lines.append(f"| {r['row']} | {number(r['ms'])} | {r['fastest']} | {number(r['peer_ms'])} | **{r['ratio']:.2f}×** "
                     f"({r['spread']:.2f}) | {r['rss_mb']:.0f} / {r['peer_rss_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def part_of_page(name):
    before, rest = PAGE.read_text().split(f"<!-- {name} -->\n")
    part, after = rest.split(f"<!-- /{name} -->")
    return before, part, after


def replace_part(name, text):
    before, _, after = part_of_page(name)
    PAGE.write_text(f"{before}<!-- {name} -->\n{text.rstrip()}\n<!-- /{name} -->{after}")


def write_table(table, names):
    # Rows that were not run stay as they are.
    lines = {line.split("|")[1].strip(): line for line in (part_of_page("table")[1] + markdown(table)).splitlines()
             if line.startswith("| ")}
    heading, rule = markdown([]).splitlines()
    replace_part("table", "\n".join([heading, rule, *(lines[name] for name in names if name in lines)]))


def keep_results(build, name, lines, timings):
    """Writes the results to bench.json and bench.md, which keep the rows of earlier runs."""
    path = build / "bench.json"
    kept = json.loads(path.read_text()) if path.exists() else dict(table=[], results={})
    anew = {line["row"] for line in lines}
    table = [line for line in kept["table"] if line["row"] not in anew] + lines
    path.write_text(json.dumps(dict(table=table, results={**kept["results"], name: timings}), indent=1))
    (build / "bench.md").write_text(markdown(table))


def kernels(build):
    """Returns a table of the kernels beside the machine's limits."""
    result = subprocess.run([build / "bench_kernels", "--benchmark_format=json"], capture_output=True, text=True, check=True)
    report = json.loads(result.stdout)
    context = report["context"]
    lines = [f"This machine, in the same run: {context['fp32_gflops']} GFLOP/s in fp32, {context['bf16_gflops']} in bf16, copying "
             f"{context['copy_gbs']} GB/s.", "", "| kernel | ms | GFLOP/s | GB/s | share of the limit |", "|---|---|---|---|---|"]
    for b in report["benchmarks"]:
        lines.append(f"| {b['name'].split('/')[0]} | {b['real_time']:.3f} | {b['GFLOP/s']:.0f} | {b['GB/s']:.1f} | {b['roofline']:.2f} |")
    return "\n".join(lines) + "\n"


def profile(build):
    """Returns tables of a training step by operator, in both precisions."""
    parts = []
    for dtype in ("fp32", "bf16"):
        command = [build / "bench_ddpm", "--net", "s64", "--batch", "16", "--dtype", dtype, "--steps", "20", "--profile"]
        parts.append(f"{dtype}:\n\n" + subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return "\n".join(parts)


EXTRAS = {"kernels": kernels, "profile": profile}

# The multiplications and additions, in GFLOP, of the CIFAR-10 network in a forward pass of one picture.
CIFAR10_GFLOP = 2 * 6.222


def gpu_table(table, results):
    """Returns the GPU's rows in pictures a second, and as a share of the measured rate of matrix products."""
    code = ("import torch, statistics; a = torch.randn(8192, 8192, device='cuda', dtype=torch.bfloat16); b = a.clone(); ms = []\n"
            "for i in range(30):\n"
            "  s, e = (torch.cuda.Event(enable_timing=True) for _ in 'se'); s.record(); a @ b; e.record(); e.synchronize()\n"
            "  ms.append(s.elapsed_time(e))\n"
            "print(torch.cuda.get_device_name(), '|', torch.__version__, '|', 2 * 8192**3 / statistics.median(ms[10:]) / 1e9)")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    name, version, rate = (part.strip() for part in out.split("|"))
    passes = {"train": 3, "forward": 1, "sample": 50}
    lines = [f"{name}, LibTorch {version}; a product of two 8192 by 8192 matrices in bf16 ran at {float(rate):.0f} TFLOP/s in "
             "the same run.", "", "| row | ddpm, ms | images/s | share of that rate | peer | its ms | ratio | GPU memory, MiB: ddpm / peer |",
             "|---|---|---|---|---|---|---|---|"]
    median = lambda runs, key: statistics.median(r[key] for r in runs)
    for row in table:
        timings = results[row["row"]]
        ours = timings["ddpm"]
        per_second = median(ours, "img_s")
        share = per_second * passes[ours[0]["what"]] * CIFAR10_GFLOP / 1e3 / float(rate)
        for label, runs in timings.items():
            if label != "ddpm":
                lines.append(f"| {row['row']} | {number(row['ms'])} | {per_second:.0f} | {100 * share:.0f} % | {label} | "
                             f"{number(median(runs, 'ms_median'))} | **{row['all_ratios'][label]:.2f}×** | "
                             f"{median(ours, 'peak_gpu_mb'):.0f} / {median(runs, 'peak_gpu_mb'):.0f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, help="where bench_ddpm, bench_kernels and ddpm lie, and results go")
    parser.add_argument("--only", help="rows that begin with this; or kernels (each by itself) or profile (a step by operator)")
    parser.add_argument("--full", action="store_true", help="the whole matrix")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--gpu", action="store_true", help="the rows of a GPU instead; peers run once, compiled ones take minutes")
    parser.add_argument("--against", type=pathlib.Path, metavar="FOLDER",
                        help="beside an earlier build (its build/bench) instead of the peers; docs/speed.md stays as it is")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write the tables to docs/speed.md too")
    a = parser.parse_args()
    if a.turns < 1 or (a.build is None and not a.list):
        parser.error("--turns: expected 1 or more; --build is needed (./scripts/bench gives it)")
    build = a.build or pathlib.Path()
    rows = Table(build, a.full, a.gpu).rows
    if a.list:
        print("\n".join([*(row.name for row in rows), *EXTRAS]))
        return
    wanted = [row for row in rows if not a.only or row.name.startswith(a.only)]
    extras = [name for name in EXTRAS if not a.gpu and (not a.only or name.startswith(a.only))]
    if not wanted and not extras:
        parser.error(f"--only: no row begins with {a.only!r}; --list tells them")
    prepare(build, wanted)
    if a.against:
        wanted, extras, a.docs = against(wanted, build, a.against), [], False
    results, table = {}, []
    for row in wanted:
        results[row.name], lines = run_row(row, a.turns)
        table += lines
        if not a.against:
            keep_results(build, row.name, lines, results[row.name])
        print("\n".join(markdown(lines).splitlines()[2:]), file=sys.stderr, flush=True)
        if a.docs and not a.gpu:
            write_table(table, [name for r in Table(build, True).rows for name in r.lines()])
    if table and a.gpu:
        text = gpu_table(table, results)
        (build / "gpu.md").write_text(text)
        print(text)
        if a.docs:
            replace_part("gpu", text)
    elif table:
        print(markdown(table))
    for name in extras:
        text = EXTRAS[name](build)
        (build / f"{name}.md").write_text(text)
        print(text)
        if a.docs:
            replace_part(name, text)
    shutil.rmtree(build / "drawn", ignore_errors=True)


if __name__ == "__main__":
    main()
