"""Lookups, bags and logits with PyTorch and NumPy on the processor, for the workloads of `benches/peers`.

Prints JSON: a list of {workload, threads, contender, median_us, best_us, rounds}. Contenders take turns, round by round, and
every answer is checked before it is timed. Each number of threads is a process of its own.

    python3 benches/python/compare.py --threads 1,2 > python.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

LOOKUPS = [(30_522, 64, 384), (30_522, 128, 768), (250_000, 128, 1024), (250_000, 256, 1024)]
UNIFORM = [1, 2, 6, 16, 64, 512, 4096, 16_384]
ZIPF = [512, 4096, 16_384]
BAGS = [(250_000, 64, 384), (250_000, 128, 768), (250_000, 128, 1024)]
IDS_AND_BAGS = [(2, 1024), (8, 1024), (20, 512), (64, 256), (256, 64), (1024, 16), (10_000, 2)]
LOGITS = (50_257, 128, 768)
STATES = [1, 16, 64]
STREAM = 1 << 18
CHILD = "COMPARE_THREADS"
THREAD_VARIABLES = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", CHILD]


def main():
    arguments = parse()
    if CHILD not in os.environ:
        results = []
        for threads in arguments.threads.split(","):
            environment = os.environ | {name: threads for name in THREAD_VARIABLES}
            child = subprocess.run([sys.executable, *sys.argv], env=environment, stdout=subprocess.PIPE, check=True)
            results += json.loads(child.stdout)
    else:
        comparison = Comparison(int(os.environ[CHILD]), arguments)
        comparison.lookups()
        comparison.bags()
        comparison.logits()
        results = comparison.results
    print(json.dumps(results, indent=1))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default: 1,2)")
    parser.add_argument("--seconds", type=float, default=0.15, help="for each contender of a workload")
    parser.add_argument("--filter", default="", help="only workloads whose name contains this")
    parser.add_argument("--test", action="store_true", help="run each contender once and time nothing")
    return parser.parse_args()


class Table:
    """The same random table for every contender; `dense` where it is asked for."""

    def __init__(self, shape):
        import numpy as np
        import torch

        self.vocab_size, self.rank, self.dim = shape
        rng = np.random.default_rng(1)
        self.u = rng.standard_normal((self.vocab_size, self.rank), dtype=np.float32)
        self.w = rng.standard_normal((self.rank, self.dim), dtype=np.float32)
        self.dense = self.u @ self.w
        # They share the memory of the arrays.
        self.torch_u, self.torch_w, self.torch_dense = map(torch.from_numpy, (self.u, self.w, self.dense))
        self.name = f"vocab{self.vocab_size}_r{self.rank}_d{self.dim}"


class Comparison:
    def __init__(self, threads, arguments):
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.threads, self.arguments, self.results = threads, arguments, []

    def wanted(self, workloads):
        return [workload for workload in workloads if self.arguments.filter in workload[0]]

    def lookups(self):
        for shape in LOOKUPS:
            name = "vocab{}_r{}_d{}".format(*shape)
            workloads = [(f"lookup/{name}/n{n}", uniform, n) for n in UNIFORM]
            workloads += [(f"lookup_zipf/{name}/n{n}", zipf, n) for n in ZIPF]
            workloads = self.wanted(workloads)
            table = Table(shape) if workloads else None
            for workload, draw, n in workloads:
                self.run(workload, *lookup_contenders(table, batches(draw(table.vocab_size), n)))

    def bags(self):
        for shape in BAGS:
            name = "vocab{}_r{}_d{}".format(*shape)
            workloads = self.wanted([(f"bag/{name}/sum/L{length}", length, count) for length, count in IDS_AND_BAGS])
            table = Table(shape) if workloads else None
            for workload, length, count in workloads:
                self.run(workload, *bag_contenders(table, batches(uniform(table.vocab_size), length * count), length))

    def logits(self):
        import numpy as np

        name = "vocab{}_r{}_d{}".format(*LOGITS)
        workloads = self.wanted([(f"logits/{name}/n{n}", n) for n in STATES])
        table = Table(LOGITS) if workloads else None
        for workload, n in workloads:
            hidden = np.random.default_rng(3).standard_normal((n, table.dim), dtype=np.float32)
            self.run(workload, *logits_contenders(table, hidden))

    def run(self, workload, contenders, expected):
        """`contenders`: functions of the number of a call by name. `expected`: what call 0 must give, in f64."""
        import numpy as np

        print(f"{workload}, {self.threads} thread(s)", file=sys.stderr)
        for name, contender in contenders.items():
            answer = np.asarray(contender(0), dtype=np.float64)
            assert answer.shape == expected.shape, (workload, name, answer.shape, expected.shape)
            error = np.linalg.norm(answer - expected) / np.linalg.norm(expected)
            assert error < 1e-4, (workload, name, error)
        if self.arguments.test:
            return
        plans = {name: plan(contender) for name, contender in contenders.items()}
        slowest = max(turn for _, turn in plans.values())
        rounds = min(max(int(self.arguments.seconds / slowest), 5), 60)
        times = {name: [] for name in contenders}
        next_call, names = 0, list(contenders)
        for turn in range(rounds):
            # Every contender begins a round as often as any other.
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                contender, (calls, _) = contenders[name], plans[name]
                start = time.perf_counter()
                for call in range(next_call, next_call + calls):
                    contender(call)
                times[name].append((time.perf_counter() - start) / calls)
                next_call += calls
        for name, seconds in times.items():
            median, best = statistics.median(seconds) * 1e6, min(seconds) * 1e6
            result = {"workload": workload, "threads": self.threads, "contender": name}
            self.results.append(result | {"median_us": median, "best_us": best, "rounds": rounds})


def plan(contender):
    """How many calls make a turn of 2 ms, and how long it takes."""
    calls = 1
    while True:
        start = time.perf_counter()
        for call in range(1, calls + 1):
            contender(call)
        turn = time.perf_counter() - start
        if turn >= 2e-3:
            return calls, turn
        calls *= 2


def uniform(vocab_size):
    import numpy as np

    return np.random.default_rng(2).integers(0, vocab_size, STREAM)


def zipf(vocab_size):
    """Id i in proportion to 1 / (i + 1)."""
    import numpy as np

    share = np.cumsum(1 / np.arange(1, vocab_size + 1))
    ids = np.searchsorted(share, np.random.default_rng(2).random(STREAM) * share[-1])
    return np.minimum(ids, vocab_size - 1)


def batches(stream, n):
    """[batches, n], 4096 batches at most."""
    count = min(len(stream) // n, 4096)
    return stream[: count * n].reshape(count, n)


def lookup_contenders(table, ids):
    import numpy as np
    import torch
    from torch.nn.functional import embedding

    n = ids.shape[1]
    torch_ids = list(torch.from_numpy(ids))
    gathered, out = np.empty((n, table.rank), np.float32), np.empty((n, table.dim), np.float32)
    dense_out = np.empty((n, table.dim), np.float32)
    torch_gathered, torch_out = torch.empty(n, table.rank), torch.empty(n, table.dim)
    torch_dense_out = torch.empty(n, table.dim)

    def torch_into(call):
        torch.index_select(table.torch_u, 0, torch_ids[call % len(ids)], out=torch_gathered)
        return torch.mm(torch_gathered, table.torch_w, out=torch_out)

    def numpy_into(call):
        np.take(table.u, ids[call % len(ids)], axis=0, out=gathered, mode="clip")
        return np.matmul(gathered, table.w, out=out)

    def torch_dense_into(call):
        return torch.index_select(table.torch_dense, 0, torch_ids[call % len(ids)], out=torch_dense_out)

    contenders = {
        "torch": lambda call: embedding(torch_ids[call % len(ids)], table.torch_u) @ table.torch_w,
        "torch out=": torch_into,
        "numpy": numpy_into,
        "torch dense": lambda call: embedding(torch_ids[call % len(ids)], table.torch_dense),
        "torch dense out=": torch_dense_into,
        "numpy dense": lambda call: np.take(table.dense, ids[call % len(ids)], axis=0, out=dense_out, mode="clip"),
    }
    return contenders, table.u[ids[0]].astype(np.float64) @ table.w.astype(np.float64)


def bag_contenders(table, ids, length):
    import numpy as np
    import torch
    from torch.nn.functional import embedding_bag, linear

    torch_ids = list(torch.from_numpy(ids).reshape(len(ids), -1, length))
    weight = table.torch_w.T.contiguous()  # as `Linear` keeps it
    contenders = {
        "torch": lambda call: linear(embedding_bag(torch_ids[call % len(ids)], table.torch_u, mode="sum"), weight),
        "torch dense": lambda call: embedding_bag(torch_ids[call % len(ids)], table.torch_dense, mode="sum"),
    }
    sums = table.u[ids[0]].reshape(-1, length, table.rank).sum(axis=1, dtype=np.float64)
    return contenders, sums @ table.w.astype(np.float64)


def logits_contenders(table, hidden):
    import numpy as np
    import torch

    queries = torch.from_numpy(hidden)
    torch_out, torch_dense_out = (torch.empty(len(hidden), table.vocab_size) for _ in range(2))
    out, dense_out = (np.empty((len(hidden), table.vocab_size), np.float32) for _ in range(2))
    contenders = {
        "torch": lambda _: torch.mm(queries @ table.torch_w.T, table.torch_u.T, out=torch_out),
        "numpy": lambda _: np.matmul(hidden @ table.w.T, table.u.T, out=out),
        "torch dense": lambda _: torch.mm(queries, table.torch_dense.T, out=torch_dense_out),
        "numpy dense": lambda _: np.matmul(hidden, table.dense.T, out=dense_out),
    }
    coordinates = hidden.astype(np.float64) @ table.w.T.astype(np.float64)
    return contenders, coordinates @ table.u.T.astype(np.float64)


if __name__ == "__main__":
    main()
