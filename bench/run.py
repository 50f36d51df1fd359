#!/usr/bin/env python3
"""Runs bench_ddpm and the peers in turns (A B C A B C …) and writes the table of their ratios.

A shared machine drifts by a fifth between runs, so one program's median says little: each turn gives a ratio of neighbours
in time, and the row's ratio is the median of those, against the peer that is fastest by it.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
BATCH = {"s32": 16, "s64": 16, "cifar10": 8}


def diffusers(mode, *more):
    return f"diffusers {mode}" + (" foreach" if more else ""), ["bench_diffusers.py", "--mode", mode, *more]


def engine(name):
    return name, ["bench_inference_engines.py", "--engine", name]


def rows(full):
    """name → (flags of bench_ddpm, peers)."""
    table = {}

    def add(net, what, dtype, threads=0):
        name = f"{net} {what} {dtype}" + (f" {threads} thread" if threads else "")
        flags = ["--net", net, "--what", what, "--dtype", dtype, "--batch", str(BATCH[net])]
        if threads:
            flags += ["--threads", str(threads)]
        peers = [diffusers("eager"), diffusers("channels_last")]
        if what == "train":
            peers.append(diffusers("eager", "--foreach"))
        if (net == "s64" or full) and not threads:
            peers.append(diffusers("compile"))
        if what == "forward" and not threads:
            peers += [engine("openvino-fp32"), engine("onnxruntime")] if dtype == "fp32" else [engine("openvino-bf16")]
        table[name] = (flags, peers)

    for net in ("s64", "cifar10"):
        for what in ("train", "forward"):
            for dtype in ("fp32", "bf16"):
                add(net, what, dtype)
    for what in ("train", "forward"):
        add("s32", what, "fp32")
        add("s64", what, "fp32", 1)
        if full:
            add("s32", what, "bf16")
            add("s64", what, "bf16", 1)
    return table


def timed(command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if result.returncode != 0 or not lines:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {result.returncode}\n{result.stderr[-2000:]}")
    return json.loads(lines[-1])


def run_row(name, flags, peers, program, turns):
    """Timings of each competitor, one a turn, and the row of the table."""
    what = flags[flags.index("--what") + 1]
    counts = ["--warmup", "3", "--steps", "10" if what == "train" else "20"]
    shared = [f for i, f in enumerate(flags) if flags[i - 1] not in ("--what", "--dtype") and f not in ("--what", "--dtype")]
    commands = {"ddpm": [program, *flags, *counts]}
    for label, arguments in peers:
        is_engine = arguments[0].startswith("bench_inference")
        commands[label] = [sys.executable, HERE / "peers" / arguments[0], *arguments[1:], *(shared if is_engine else flags), *counts]
    results = {label: [] for label in commands}
    for turn in range(turns):
        for label, command in commands.items():
            if "compile" in label and turn > 0:
                continue  # two minutes to compile: once a row
            print(f"{name}: turn {turn + 1} of {turns}, {label}", file=sys.stderr, flush=True)
            results[label].append(timed(command))
    parameters = {r["params"] for timings in results.values() for r in timings}
    if len(parameters) != 1:
        raise RuntimeError(f"{name}: not the same network: {parameters} parameters")
    ours = results["ddpm"]
    ratios = {label: [peer["ms_median"] / mine["ms_median"] for peer, mine in zip(timings, ours)]
              for label, timings in results.items() if label != "ddpm"}
    middle = {label: statistics.median(values) for label, values in ratios.items()}
    fastest = min(middle, key=middle.get)
    median = lambda label, key: statistics.median(r[key] for r in results[label])
    spread = max(ratios[fastest]) - min(ratios[fastest])
    return results, dict(row=name, ms=median("ddpm", "ms_median"), ms_min=min(r["ms_min"] for r in ours), fastest=fastest,
                         peer_ms=median(fastest, "ms_median"), ratio=middle[fastest], spread=spread, all_ratios=middle,
                         rss_mb=median("ddpm", "peak_rss_mb"), peer_rss_mb=median(fastest, "peak_rss_mb"))


def markdown(table):
    lines = ["| row | ddpm, ms | fastest peer | its ms | ratio (spread over turns) | peak RSS, MB: ddpm / peer |",
             "|---|---|---|---|---|---|"]
    for r in table:
        lines.append(f"| {r['row']} | {r['ms']:.0f} | {r['fastest']} | {r['peer_ms']:.0f} | **{r['ratio']:.2f}×** ({r['spread']:.2f}) "
                     f"| {r['rss_mb']:.0f} / {r['peer_rss_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="folder for bench.json and bench.md")
    parser.add_argument("--only", help="rows that begin with this")
    parser.add_argument("--full", action="store_true", help="the whole matrix")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write the table to docs/speed.md too")
    a = parser.parse_args()
    wanted = {name: row for name, row in rows(a.full).items() if not a.only or name.startswith(a.only)}
    if a.list:
        print("\n".join(rows(a.full)))
        return
    if not wanted:
        parser.error(f"--only: no row begins with {a.only!r}; --list tells them")
    if a.turns < 1 or a.program is None or a.out is None:
        parser.error("--turns: expected 1 or more; --program and --out are needed (./scripts/bench gives them)")
    results, table = {}, []
    for name, (flags, peers) in wanted.items():
        results[name], row = run_row(name, flags, peers, a.program, a.turns)
        table.append(row)
        (a.out / "bench.json").write_text(json.dumps(dict(table=table, results=results), indent=1))
        (a.out / "bench.md").write_text(markdown(table))
        print(markdown(table[-1:]), file=sys.stderr, flush=True)
    print(markdown(table))
    if a.docs:
        # Rows that were not run stay as they are.
        page = HERE.parent / "docs" / "speed.md"
        before, old = page.read_text().split("<!-- table -->\n")
        lines = {line.split("|")[1].strip(): line for line in (old + markdown(table)).splitlines() if line.startswith("| ")}
        heading, rule = markdown([]).splitlines()
        body = [lines[name] for name in [*rows(True)] if name in lines]
        page.write_text(before + "<!-- table -->\n" + "\n".join([heading, rule, *body]) + "\n")


if __name__ == "__main__":
    main()
