"""The measurements of a run, in seconds, and what is asked of them."""

import json
from pathlib import Path

# Medians of one run that lie closer to each other than this are equal.
NOISE = 0.03
SHAPES = [(30_522, 64, 384), (30_522, 128, 768), (250_000, 128, 1024), (250_000, 256, 1024)]
BAG_SHAPES = [(250_000, 64, 384), (250_000, 128, 768), (250_000, 128, 1024)]
TEXT_SHAPE = (10_000, 128, 768)
LOGITS_SHAPE = (50_257, 128, 768)
BATCHES = [1, 2, 6, 16, 64, 512, 4096, 16_384]
LARGE_BATCHES = [512, 4096, 16_384]
BAG_LENGTHS = [2, 8, 20, 64, 256, 1024, 10_000]
BAGS_A_CALL = {2: 1024, 8: 1024, 20: 512, 64: 256, 256: 64, 1024: 16, 10_000: 2}
STATES = [1, 16, 64]
# Contenders of `benches/peers` (interleaved with ours) and of `benches/python` (another process) that multiply as we do.
RUST_PEERS = ["ndarray", "gemm", "faer", "candle", "burn"]
PYTHON_PEERS = ["torch", "torch out=", "numpy"]


def name(shape):
    return "vocab{}_r{}_d{}".format(*shape)


class Measured:
    """Empty where a part of the run is missing: a question about it then has the answer None."""

    def __init__(self, folder):
        self.criterion = read(folder / "criterion.json", {})
        self.machine = read(folder / "machine.json", {})
        self.peers = {}
        for part in ("peers", "python"):
            for result in read(folder / f"{part}.json", []):
                key = (result["workload"], result["threads"], result["contender"])
                self.peers[key] = result["median_us"] * 1e-6

    def time(self, workload, entry):
        """Median seconds of an iteration."""
        result = self.criterion.get(f"{workload}/{entry}")
        return result and result["median"]

    def peer(self, workload, threads, contender):
        return self.peers.get((workload, threads, contender))

    def best_peer(self, workload, threads, contenders):
        """The fastest of some contenders: its time and its name."""
        times = [(self.peer(workload, threads, contender), contender) for contender in contenders]
        return min((pair for pair in times if pair[0]), default=(None, None))

    @property
    def isa(self):
        """The best instruction set of the machine, as the entries name it."""
        for isa in ("avx512", "avx2", "neon"):
            if any(key.endswith(f"/factorized/{isa}") for key in self.criterion):
                return isa
        return "portable"

    def plain(self, workload):
        """Our time with the best instruction set, every row computed."""
        return self.time(workload, f"factorized/{self.isa}")

    @property
    def flops(self):
        """Multiply-adds count twice; the best of all runs of the peak loops."""
        runs = [r for key, r in self.criterion.items() if key.startswith("peak/fma/")]
        return max((result["throughput"] / result["best"] for result in runs), default=None)

    def bandwidth(self, entry):
        """Bytes a second of `peak/<entry>`, median."""
        result = self.criterion.get(f"peak/{entry}")
        return result and result["throughput"] / result["median"]

    def fraction_of_peak(self, workload, shape, n):
        _, rank, dim = shape
        time = self.plain(workload)
        return ratio(2 * n * rank * dim / self.flops, time) if self.flops else None


def read(path, default):
    return json.loads(Path(path).read_text()) if Path(path).exists() else default


def ratio(a, b):
    return a / b if a and b else None


def found(values):
    return [value for value in values if value is not None]
