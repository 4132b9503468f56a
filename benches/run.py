"""Runs every comparison on a quiet machine and writes what came out: `benches/RESULTS.md` and `docs/lookup.svg`.

    python3 benches/run.py                    # all of it: about 25 minutes on two cores, after the compilers are done
    python3 benches/run.py --quick            # shorter measurements: about 8 minutes
    python3 benches/run.py --only peers       # measures a part again, keeps the rest of the last run
    python3 benches/run.py --render           # measures nothing, writes the last run down again

The parts are `criterion` (`cargo bench`), `mapped` (`cargo bench --bench mapped`: time and memory of mapped tables), `peers`
(`benches/peers`: other Rust libraries, in turns with ours) and `python` (`benches/python`: PyTorch and NumPy). Measurements are kept in `<target directory>/measured`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from report import goals, plot, tables
from report.measured import NOISE, Measured, read

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve()
MEASURED = TARGET / "measured"
PARTS = ["criterion", "mapped", "peers", "python"]
# The peak is measured again between the others: a machine's clock drifts.
BENCHES = ["peak", "lookup", "peak", "bag", "peak", "head", "peak", "quantized"]
QUICK = ["--warm-up-time", "0.03", "--measurement-time", "0.08", "--sample-size", "10", "--nresamples", "1000"]


def main():
    arguments = parse()
    MEASURED.mkdir(parents=True, exist_ok=True)
    if not arguments.render:
        measures = {"criterion": criterion, "mapped": mapped, "peers": peers, "python": python}
        for part in PARTS:
            if part in arguments.only:
                start, version = time.time(), commit()
                results, commands = measures[part](arguments)
                how = {"commands": commands, "commit": version, "minutes": (time.time() - start) / 60}
                store(part, results, how, arguments)
    run = Measured(MEASURED)
    (REPOSITORY / "benches/RESULTS.md").write_text(markdown(run))
    drawing = plot.svg(run)
    if drawing:
        (REPOSITORY / "docs/lookup.svg").write_text(drawing)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = lambda words: [part for part in words.split(",") if part in PARTS or parser.error(f"no part {part}")]
    parser.add_argument("--only", type=parts, default=PARTS, help="parts to measure, with commas between")
    parser.add_argument("--quick", action="store_true", help="shorter measurements")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument(
        "--filter",
        default="",
        help="only workloads whose name contains this, such as r128_d768/n64; keeps the others of the last run",
    )
    packages = TARGET / "bench-python"
    parser.add_argument("--packages", type=Path, default=packages, help="where PyTorch is, or is installed")
    return parser.parse_args()


def call(*command, environment=None, cwd=REPOSITORY, capture=False):
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)} | (environment or {})
    print("+", *command, file=sys.stderr)
    output = subprocess.PIPE if capture else sys.stderr
    return subprocess.run(command, cwd=cwd, env=environment, stdout=output, check=True, text=True).stdout


def criterion(arguments):
    call("cargo", "bench", "--no-run")
    results, start, seen = {}, time.time(), set()
    for bench in BENCHES:
        words = [arguments.filter] if arguments.filter and bench != "peak" else []
        if bench == "peak" and bench in seen:
            words = ["peak/fma"]
        seen.add(bench)
        call("cargo", "bench", "--bench", bench, "--", *words, *(QUICK if arguments.quick else []))
        for key, result in estimates(start).items():
            # Of the peak loops the best of all runs counts.
            best = min(result["best"], results.get(key, result)["best"])
            results[key] = result | {"best": best}
    return results, ["cargo bench" + (" -- " + " ".join(QUICK) if arguments.quick else "")]


def estimates(since):
    """Seconds an iteration of every bench that was measured since then."""
    results = {}
    for path in sorted((TARGET / "criterion").rglob("new/estimates.json"), key=lambda path: path.stat().st_mtime):
        if path.stat().st_mtime < since:
            continue
        bench = json.loads(path.with_name("benchmark.json").read_text())
        sample = json.loads(path.with_name("sample.json").read_text())
        throughput = bench["throughput"] or {}
        results[f"{bench['group_id']}/{bench['function_id']}"] = {
            "median": json.loads(path.read_text())["median"]["point_estimate"] * 1e-9,
            "best": min(time / n for time, n in zip(sample["times"], sample["iters"])) * 1e-9,
            "throughput": next(iter(throughput.values()), None),
        }
    return results


def mapped(arguments):
    command = ["cargo", "bench", "--bench", "mapped"]
    options = ["--", "--test"] if arguments.quick else []
    return {"text": call(*command, *options, capture=True)}, [" ".join(command + options)]


def peers(arguments):
    options = ["--filter", arguments.filter, "--seconds", "0.04" if arguments.quick else "0.15"]
    target, output = TARGET / "peers", MEASURED / "peers.tmp.json"
    cargo = ["cargo", "run", "--release", "--manifest-path", "benches/peers/Cargo.toml", "--"]
    call(*cargo, *options, "--json", str(output), environment={"CARGO_TARGET_DIR": str(target)})
    results = json.loads(output.read_text())
    output.unlink()
    return results, [" ".join(cargo[:-1])]


def python(arguments):
    packages = arguments.packages
    if not (packages / "torch").exists():
        requirements = "benches/python/requirements.txt"
        call(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), "-r", requirements)
    options = ["--filter", arguments.filter, "--seconds", "0.04" if arguments.quick else "0.15"]
    environment = {"PYTHONPATH": str(packages)}
    output = call(sys.executable, "benches/python/compare.py", *options, environment=environment, capture=True)
    return json.loads(output), ["python3 benches/python/compare.py"]


def store(part, results, how, arguments):
    path = MEASURED / f"{part}.json"
    if arguments.filter:
        results = merged(read(path, type(results)()), results)
    path.write_text(json.dumps(results, indent=1))
    machine = read(MEASURED / "machine.json", {})
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    parts = machine.get("parts", {}) | {part: how | {"date": date, "quick": arguments.quick}}
    description = describe_machine() | {
        "parts": parts,
        "versions": machine.get("versions", {}) | versions(part, arguments.packages),
    }
    (MEASURED / "machine.json").write_text(json.dumps(description, indent=1))


def merged(old, new):
    """Results of which a filter left some as they were."""
    if isinstance(new, dict):
        return old | new

    def by_key(results):
        return {(result["workload"], result["threads"], result["contender"]): result for result in results}

    return list((by_key(old) | by_key(new)).values())


def commit():
    short = call("git", "rev-parse", "--short", "HEAD", capture=True).strip()
    return short + (" with changes" if call("git", "status", "--porcelain", "-uno", capture=True).strip() else "")


def describe_machine():
    lscpu = {}
    if platform.system() == "Linux":
        for field in json.loads(call("lscpu", "--json", capture=True))["lscpu"]:
            lscpu[field["field"].rstrip(":")] = field["data"]
    caches = ", ".join(f"{key.removesuffix(' cache')} {lscpu[key]}" for key in lscpu if key.endswith(" cache"))
    flags = set(lscpu.get("Flags", "").split())
    vectors = [flag for flag in ("avx512f", "avx2", "fma", "asimd") if flag in flags]
    return {
        "processor": lscpu.get("Model name", platform.processor()),
        "model": f"family {lscpu.get('CPU family', '?')}, model {lscpu.get('Model', '?')}",
        "cores": os.cpu_count(),
        "caches": caches,
        "vectors": " ".join(vectors),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "rustc": call("rustc", "--version", capture=True).strip(),
    }


def versions(part, packages):
    if part == "peers":
        tree = call(
            "cargo",
            "tree",
            "--depth",
            "1",
            "--prefix",
            "none",
            "--manifest-path",
            "benches/peers/Cargo.toml",
            "--format",
            "{p}",
            capture=True,
        )
        wanted = ("burn", "candle-core", "faer", "gemm", "ndarray")
        lines = (line.split() for line in tree.splitlines())
        return {words[0]: words[1].lstrip("v") for words in lines if words and words[0] in wanted}
    if part == "python":
        show = "import numpy, torch; print(numpy.__version__, torch.__version__)"
        environment = {"PYTHONPATH": str(packages)}
        return dict(
            zip(("numpy", "torch"), call(sys.executable, "-c", show, environment=environment, capture=True).split())
        )
    return {}


def markdown(run):
    machine = run.machine
    lines = ["# What was measured", "", "Written by `python3 benches/run.py`.", ""]
    lines += ["| | |", "| --- | --- |"]
    for key in ("processor", "model", "cores", "caches", "vectors", "system", "rustc"):
        lines.append(f"| {key} | {machine.get(key, '')} |")
    lines.append(f"| libraries | {', '.join(f'{k} {v}' for k, v in machine.get('versions', {}).items())} |")
    for part, how in machine.get("parts", {}).items():
        quick = ", quick" if how["quick"] else ""
        commands = ", ".join(f"`{command}`" for command in how["commands"])
        lines.append(f"| {part} | {commands}; {how['date']}, {how['minutes']:.0f} min{quick}, commit {how['commit']} |")
    flops = run.flops
    peak = (
        f"The peak is {flops / 1e9:.0f} Gflop/s a core, the best of all runs of the loops of `peak/fma`."
        if flops
        else ""
    )
    lines += [
        "",
        "## Goals",
        "",
        f"{peak} A time counts as slower than another when it is more than {NOISE:.0%} longer.",
        "Where a goal is missed at some of several workloads, the last column says at how many of them it is met.",
        "",
        goals.table(run),
    ]
    lines += [
        "",
        "## Fractions of peak",
        "",
        "Uniform lookups, every row computed, one thread.",
        "",
        tables.fractions(run),
    ]
    lines += ["", "## The machine", "", tables.peak(run)]
    text = read(MEASURED / "mapped.json", {}).get("text")
    if text:
        lines += [
            "",
            "## Mapped tables",
            "",
            "From opening a file, which is in the system's cache, to vectors, in a process of its own for each table.",
            "",
            "```text",
            text.strip(),
            "```",
        ]
    lines += [
        "",
        "## Against other libraries",
        "",
        "Times as multiples of ours. Rust libraries took turns with ours in one",
        "process; torch and NumPy ran in another one. Columns named dense copy rows of the whole table.",
        "",
        tables.peers(run),
    ]
    lines += [
        "",
        "## Criterion",
        "",
        "Times as multiples of ours, one thread unless an entry says otherwise.",
        "",
        tables.criterion(run),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
