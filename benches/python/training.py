"""Training steps of this crate and of PyTorch, in turns, on the same numbers, the same ids and as many threads.

    python3 -m pip install -r benches/python/requirements.txt
    python3 benches/python/training.py [--threads 1,2] [--rounds 21] [--filter NAME]

A step is a lookup of 4,096 ids (in proportion to 1 / (i + 1), as words of a text), the backward pass from a given gradient, and
an update by Adam. `torch` is `Embedding(sparse=True)` with SparseAdam and `Linear` with Adam (fused); `torch dense` is
`Embedding(sparse=True)` of the whole table with SparseAdam; `ours` and `dense` are the factorized and the dense layer of this
crate. What a first step makes of the parameters is compared before anything is timed.

Prints medians over the steps of all rounds; with `--json`, a list of {workload, threads, contender, median_us, best_us, rounds}, as
`compare.py` does. Each number of threads is a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import CHILD, THREAD_VARIABLES, batches, zipf

ROOT = Path(__file__).resolve().parents[2]
SHAPES = [(50_257, 128, 768), (250_000, 128, 1024)]
BATCH = 4096
LEARNING_RATE = 1e-3  # as in benches/training/step.rs
# Threads of a library wait for more work before they sleep: the others' turns do not begin until they do.
PAUSE = 0.02
# Steps of a turn, after one that is not timed: it finds sleeping threads and the caches of others, as no step of a loop does.
STEPS = 2


def main():
    arguments = parse()
    if CHILD in os.environ:
        print(json.dumps(measure(arguments, int(os.environ[CHILD]))))
        return
    subprocess.run(["cargo", "bench", "--bench", "training", "--no-run"], cwd=ROOT, check=True, stdout=sys.stderr)
    results = []
    for threads in arguments.threads.split(","):
        environment = os.environ | {name: threads for name in THREAD_VARIABLES}
        child = subprocess.run([sys.executable, *sys.argv], env=environment, stdout=subprocess.PIPE, check=True)
        results += json.loads(child.stdout)
    print(json.dumps(results, indent=1) if arguments.json else markdown(results))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default: 1,2)")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--filter", default="", help="only workloads whose name contains this")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def measure(arguments, threads):
    import torch

    torch.set_num_threads(threads)
    results = []
    for shape in SHAPES:
        workload = "training_step/vocab{}_r{}_d{}/zipf{}".format(*shape, BATCH)
        if arguments.filter not in workload:
            continue
        print(f"{workload}, {threads} thread(s)", file=sys.stderr)
        times = turns(shape, threads, arguments.rounds)
        for contender, seconds in times.items():
            median, best = statistics.median(seconds) * 1e6, min(seconds) * 1e6
            result = {"workload": workload, "threads": threads, "contender": contender}
            results.append(result | {"median_us": median, "best_us": best, "rounds": arguments.rounds})
    return results


def turns(shape, threads, rounds):
    """Seconds of steps by contender."""
    import numpy as np

    vocab_size, rank, dim = shape
    rng = np.random.default_rng(1)
    # Products have a standard deviation of 0.02, the gradient one of 1.
    std = np.float32((0.02 / rank**0.5) ** 0.5)
    u = std * rng.standard_normal((vocab_size, rank), dtype=np.float32)
    v = std * rng.standard_normal((rank, dim), dtype=np.float32)
    ids = batches(zipf(vocab_size), BATCH).astype(np.uint32)
    grad_out = rng.standard_normal((BATCH, dim), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for name, array in {"u": u, "v": v, "ids": ids, "grad_out": grad_out}.items():
            np.save(Path(folder) / f"{name}.npy", array)
        torch_factorized = Factorized(u, v, ids, grad_out)
        torch_dense = Dense(u @ v, ids, grad_out)
        command = ["cargo", "bench", "--quiet", "--bench", "training", "--", "--serve", folder, str(threads)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:

            def ask(line):
                server.stdin.write(f"{line}\n")
                server.stdin.flush()
                return server.stdout.readline()

            contenders = {
                "ours": lambda: float(ask("factorized")),
                "torch": torch_factorized.timed_step,
                "dense": lambda: float(ask("dense")),
                "torch dense": torch_dense.timed_step,
            }
            for step in contenders.values():
                step()
            ask("save")
            trained = lambda name: np.load(Path(folder) / f"trained_{name}.npy")
            compare("U", u, trained("u"), torch_factorized.u())
            compare("V", v, trained("v"), torch_factorized.v())
            compare("table", u @ v, trained("table"), torch_dense.table())
            times = {name: [] for name in contenders}
            names = list(contenders)
            for turn in range(rounds):
                first = turn % len(names)
                for name in names[first:] + names[:first]:
                    time.sleep(PAUSE)
                    contenders[name]()
                    times[name] += [contenders[name]() for _ in range(STEPS)]
            server.stdin.close()
    return times


def compare(what, before, ours, theirs):
    """The step that we made is PyTorch's; where a gradient is all but zero, rounding may have chosen its sign."""
    import numpy as np

    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - before)
    assert error < 0.01, (what, error)


class Contender:
    def __init__(self, ids, grad_out):
        import torch

        self.ids = [torch.from_numpy(batch) for batch in ids.astype("int64")]
        self.grad_out = torch.from_numpy(grad_out)
        self.next = 0

    def timed_step(self):
        ids = self.ids[self.next % len(self.ids)]
        self.next += 1
        start = time.perf_counter()
        self.forward(ids).backward(self.grad_out)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - start


class Factorized(Contender):
    def __init__(self, u, v, ids, grad_out):
        import torch

        super().__init__(ids, grad_out)
        self.embedding = torch.nn.Embedding.from_pretrained(torch.from_numpy(u.copy()), freeze=False, sparse=True)
        self.linear = torch.nn.Linear(*v.shape, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(v.T.copy()))
        self.optimizers = [
            torch.optim.SparseAdam(self.embedding.parameters(), LEARNING_RATE),
            torch.optim.Adam(self.linear.parameters(), LEARNING_RATE, fused=True),
        ]

    def forward(self, ids):
        return self.linear(self.embedding(ids))

    def u(self):
        return self.embedding.weight.detach().numpy()

    def v(self):
        return self.linear.weight.detach().numpy().T


class Dense(Contender):
    def __init__(self, table, ids, grad_out):
        import torch

        super().__init__(ids, grad_out)
        self.forward = torch.nn.Embedding.from_pretrained(torch.from_numpy(table), freeze=False, sparse=True)
        self.optimizers = [torch.optim.SparseAdam(self.forward.parameters(), LEARNING_RATE)]

    def table(self):
        return self.forward.weight.detach().numpy()


def markdown(results):
    import torch

    lines = [f"Medians of a step, in turns; torch {torch.__version__}, {os.cpu_count()} cores", ""]
    contenders = ["ours", "torch", "dense", "torch dense"]
    lines.append("| workload | threads | ours, ms | " + " | ".join(f"{name}, × ours" for name in contenders[1:]) + " |")
    lines.append("| --- |" + " ---: |" * (len(contenders) + 1))
    times = {}
    for result in results:
        times.setdefault((result["workload"], result["threads"]), {})[result["contender"]] = result["median_us"]
    for (workload, threads), medians in times.items():
        ours = medians["ours"]
        ratios = " | ".join(f"{medians[name] / ours:.2f}" for name in contenders[1:])
        lines.append(f"| `{workload}` | {threads} | {ours / 1e3:.2f} | {ratios} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
