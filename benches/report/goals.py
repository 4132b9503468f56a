"""The goals, and whether a run met them."""

from statistics import median

from report.measured import (
    BAG_LENGTHS,
    BAG_SHAPES,
    BATCHES,
    LARGE_BATCHES,
    LOGITS_SHAPE,
    NOISE,
    PYTHON_PEERS,
    RUST_PEERS,
    SHAPES,
    STATES,
    TEXT_SHAPE,
    found,
    name,
    ratio,
)

NEVER_SLOWER = 1 - NOISE


def table(run):
    """Markdown."""
    lines = ["| regime | goal | measured | met? |", "| --- | --- | --- | --- |"]
    for part in (one_row, some_rows, many_rows, libraries, repeats, bags, heads, other_products, threads, stored, coded):
        lines += ["| " + " | ".join(row) + " |" for row in part(run)]
    return "\n".join(lines)


def row(regime, goal, values, least=None, most=None):
    """A line of the table: every value must reach `least` and stay below `most`."""
    values = found(values)
    if not values:
        return regime, goal, "not measured", "?"
    met = [(least is None or value >= least) and (most is None or value <= most) for value in values]
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    measured = low if low == high else f"{low} to {high}, median {median(values):.2f}"
    verdict = "yes" if all(met) else "**no**" if not any(met) else f"**{sum(met)} of {len(met)}**"
    return regime, goal, measured, verdict


def one_row(run):
    for shape in SHAPES:
        _, rank, dim = shape
        workload, most = f"lookup/{name(shape)}/n1", 1.4 if 4 * rank * dim < 256 << 10 else 1.15
        reading = run.time("peak/read", f"w_r{rank}_d{dim}")
        yield row(
            f"n = 1, r{rank} d{dim}", f"≤ {most} × reading packed W", [ratio(run.plain(workload), reading)], most=most
        )
    workloads = [f"lookup/{name(shape)}/n1" for shape in SHAPES]
    ratios = [ratio(run.time(workload, "gather+dot"), run.plain(workload)) for workload in workloads]
    yield row("n = 1", "≥ 7 × ndarray", ratios, least=7)


def some_rows(run):
    for rank, least in ((64, 0.80), (128, 0.85), (256, 0.87)):
        shapes = [shape for shape in SHAPES if shape[1] == rank]
        fractions = [run.fraction_of_peak(f"lookup/{name(shape)}/n64", shape, 64) for shape in shapes]
        yield row(f"n = 64, r = {rank}", f"≥ {least:.2f} of peak", fractions, least=least)


def many_rows(run):
    for rank, least in ((64, 0.82), (128, 0.87), (256, 0.88)):
        pairs = [(shape, n) for shape in SHAPES if shape[1] == rank for n in LARGE_BATCHES]
        fractions = [run.fraction_of_peak(f"lookup/{name(shape)}/n{n}", shape, n) for shape, n in pairs]
        yield row(f"n ≥ 512, uniform, r = {rank}", f"≥ {least:.2f} of peak", fractions, least=least)


def libraries(run):
    """Ours against the fastest library at each shape."""

    def ratios(batches, threads, contenders):
        workloads = [f"lookup/{name(shape)}/n{n}" for shape in SHAPES for n in batches]
        ours = {workload: run.peer(workload, threads, "ours") for workload in workloads}
        return found(ratio(run.best_peer(w, threads, contenders)[0], time) for w, time in ours.items())

    for threads in (1, 2):
        where = f"{threads} thread" + "s" * (threads > 1)
        large = ratios(LARGE_BATCHES, threads, RUST_PEERS)
        middle = [median(large)] if large else []
        yield row(f"n ≥ 512, uniform, {where}", "median ≥ 1.1 × the best Rust library", middle, least=1.1)
        every = ratios(BATCHES, threads, RUST_PEERS)
        yield row(f"every n, {where}", "never slower than any Rust library", every, least=NEVER_SLOWER)
        every = ratios(BATCHES, threads, PYTHON_PEERS)
        yield row(
            f"every n, {where}", "never slower than PyTorch or NumPy (another process)", every, least=NEVER_SLOWER
        )


def repeats(run):
    def gains(workloads):
        return [ratio(run.plain(workload), run.time(workload, "factorized/auto")) for workload in workloads]

    for rank, least in ((64, 1.6), (128, 2.1), (256, 2.5)):
        shapes = [shape for shape in SHAPES if shape[1] == rank]
        workloads = [f"lookup_zipf/{name(shape)}/n{n}" for shape in shapes for n in LARGE_BATCHES[1:]]
        yield row(f"Zipf, n ≥ 4096, r = {rank}", f"≥ {least} × every row computed", gains(workloads), least=least)
    text = [f"lookup_text/{name(TEXT_SHAPE)}/n{n}" for n in LARGE_BATCHES]
    yield row("text, n ≥ 4096, r = 128", "≥ 2.1 × every row computed", gains(text[1:]), least=2.1)
    workloads = text + [f"lookup_zipf/{name(shape)}/n{n}" for shape in SHAPES for n in LARGE_BATCHES]
    yield row("Zipf and text, n ≥ 512", "never slower than every row computed", gains(workloads), least=NEVER_SLOWER)


def break_even(run, rank, dim):
    """Ids a bag at which reading the longer rows of the dense table takes as long as the projection."""
    bandwidth = run.bandwidth(f"rows/w{dim}")
    return 2 * rank * dim / run.flops * bandwidth / (4 * (dim - rank)) if run.flops and bandwidth else None


def bags(run):
    for shape in BAG_SHAPES:
        _, rank, dim = shape
        where = f"r{rank} d{dim}"

        def gains(lengths):
            workloads = [f"bag/{name(shape)}/sum/L{length}" for length in lengths]
            return [ratio(run.time(workload, "dense"), run.plain(workload)) for workload in workloads]

        least = 0.8 * dim / rank
        long = [length for length in BAG_LENGTHS if length >= 256]
        yield row(f"bags of L ≥ 256, {where}", f"≥ 0.8 · d/r = {least:.1f} × dense", gains(long), least=least)
        yield row(f"bags of L = 20, {where}", "≥ 1.5 × dense", gains([20]), least=1.5)
        least = break_even(run, rank, dim)
        above = [length for length in BAG_LENGTHS if least and length > least]
        goal = f"not slower above L* = {least:.1f}" if least else "not slower above L*"
        yield row(f"bags, {where}", goal, gains(above), least=NEVER_SLOWER)


def heads(run):
    _, rank, dim = LOGITS_SHAPE
    least = 0.85 * dim / rank
    for group in ("logits", "top_k"):
        workloads = [f"{group}/{name(LOGITS_SHAPE)}/n{n}" for n in STATES]
        gains = [ratio(run.time(workload, "dense"), run.plain(workload)) for workload in workloads]
        yield row(group.replace("_", "-"), f"≥ 0.85 · d/r = {least:.1f} × dense", gains, least=least)


def other_products(run):
    """Bags and logits against the fastest library at each shape."""
    everything = {
        "bags": [f"bag/{name(shape)}/sum/L{length}" for shape in BAG_SHAPES for length in BAG_LENGTHS],
        "logits": [f"logits/{name(LOGITS_SHAPE)}/n{n}" for n in STATES],
    }
    rivals = {"any Rust library": RUST_PEERS, "PyTorch or NumPy (another process)": PYTHON_PEERS}
    for group, workloads in everything.items():
        for threads in (1, 2):
            for who, contenders in rivals.items():
                ours = {workload: run.peer(workload, threads, "ours") for workload in workloads}
                gains = [ratio(run.best_peer(w, threads, contenders)[0], time) for w, time in ours.items()]
                where = f"{group}, {threads} thread" + "s" * (threads > 1)
                yield row(where, f"never slower than {who}", gains, least=NEVER_SLOWER)


def threads(run):
    workloads = [f"lookup/{name(shape)}/n{n}" for shape in SHAPES for n in LARGE_BATCHES[1:]]
    gains = [ratio(run.plain(workload), run.time(workload, "factorized/threads2")) for workload in workloads]
    yield row("two threads, n ≥ 4096", "≥ 1.85 × one", gains, least=1.85)


def stored(run):
    for dtype in ("f16", "bf16", "int8"):
        workloads = [f"lookup/{name(shape)}/n{n}" for shape in SHAPES for n in BATCHES]
        gains = [ratio(run.plain(workload), run.time(workload, f"factorized/{dtype}")) for workload in workloads]
        yield row(f"{dtype} U, lookups", "no slower than f32", gains, least=NEVER_SLOWER)


def coded(run):
    """Tables in codes."""

    def ratios(group, level, workload, other):
        times = []
        for ratio_of_bytes in (8, 16):
            key = f"quantized_{group}/vocab30522_d384/{level}{ratio_of_bytes}/{workload}"
            times.append(ratio(run.time(key, f"quantized/{run.isa}"), run.time(key, other)))
        return times

    for level, most in (("scalar", 1.3), ("trellis", 1.6)):
        lookups = ratios("lookup", level, "n512", "factorized") + ratios("lookup", level, "n4096", "factorized")
        yield row(f"{level} codes, n ≥ 512", f"≤ {most} × f32 factors", lookups, most=most)
    for regime, group, workload in (("top-k, n = 1", "top_k", "n1"), ("bags of L = 256", "bag", "L256")):
        times = [time for level in ("scalar", "trellis") for time in ratios(group, level, workload, "dense")]
        yield row(f"codes, {regime}", "faster than dense", times, most=1)
