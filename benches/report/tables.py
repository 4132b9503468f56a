"""Tables of ratios, a group after the other."""

from report.measured import PYTHON_PEERS, RUST_PEERS, SHAPES, ratio

DENSE = ["dense copy", "dense bag", "dense", "dense gemm", "torch dense", "torch dense out=", "numpy dense"]


def criterion(run):
    """One table a group: our time, then the time of every other entry as a multiple of it."""
    workloads = {}
    for key in run.criterion:
        if key.startswith("peak/"):
            continue
        workload, entry = split(key)
        workloads.setdefault(workload.split("/")[0], {}).setdefault(workload, []).append(entry)
    parts = []
    for group, entries in workloads.items():
        if group == "quantized_load":
            ours = "load_quantized"
        elif group.startswith("quantized_"):
            ours = f"quantized/{run.isa}"
        else:
            ours = "factorized/auto" if group in ("lookup_zipf", "lookup_text") else f"factorized/{run.isa}"
        columns = list(dict.fromkeys(entry for row in entries.values() for entry in row if entry != ours))
        lines = header(["workload", f"`{ours}`, µs"] + [f"`{column}`" for column in columns])
        for workload in entries:
            time = run.time(workload, ours)
            ratios = [ratio(run.time(workload, column), time) for column in columns]
            lines.append(line([f"`{workload}`", number(time and time * 1e6)] + list(map(number, ratios))))
        parts.append(f"### {group}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def peers(run):
    """One table a group and number of threads."""
    groups = {}
    for workload, threads, contender in run.peers:
        groups.setdefault((workload.split("/")[0], threads), {}).setdefault(workload, []).append(contender)
    parts = []
    for (group, threads), contenders in groups.items():
        known = {contender for row in contenders.values() for contender in row}
        columns = [c for c in RUST_PEERS + PYTHON_PEERS + DENSE + ["ours, one thread"] if c in known]
        lines = header(["workload", "ours, µs"] + columns)
        for workload in contenders:
            time = run.peer(workload, threads, "ours")
            ratios = [ratio(run.peer(workload, threads, column), time) for column in columns]
            lines.append(line([f"`{workload}`", number(time and time * 1e6)] + list(map(number, ratios))))
        parts.append(f"### {group}, {threads} thread" + "s" * (threads > 1) + "\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def peak(run):
    lines = header(["what", "rate"])
    for key, result in run.criterion.items():
        if key.startswith("peak/fma"):
            lines.append(line([f"`{key}`", f"{result['throughput'] / result['best'] / 1e9:.1f} Gflop/s (best)"]))
        elif key.startswith("peak/"):
            lines.append(line([f"`{key}`", f"{result['throughput'] / result['median'] / 1e9:.2f} GB/s"]))
    return "\n".join(lines)


def fractions(run):
    """Fractions of peak of uniform lookups."""
    batches = [1, 2, 6, 16, 64, 512, 4096, 16_384]
    lines = header(["(r, d)"] + [f"n = {n}" for n in batches])
    for shape in SHAPES:
        workload = "lookup/vocab{}_r{}_d{}".format(*shape)
        values = [run.fraction_of_peak(f"{workload}/n{n}", shape, n) for n in batches]
        lines.append(line([f"({shape[1]}, {shape[2]})"] + list(map(number, values))))
    return "\n".join(lines)


def split(key):
    """`bag/…/L20/factorized/avx2` into workload and entry."""
    for family in ("quantized", "factorized", "dense"):
        workload, separator, variant = key.partition(f"/{family}/")
        if separator:
            return workload, f"{family}/{variant}"
    return tuple(key.rsplit("/", 1))


def header(cells):
    return [line(cells), line(["---"] + ["---:"] * (len(cells) - 1))]


def line(cells):
    return "| " + " | ".join(cells) + " |"


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
