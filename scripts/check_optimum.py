"""Compresses the shipped GloVe table and compares the errors with the optimum that numpy computes independently.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_optimum.py
"""

import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import optimum

DATA = optimum.REPOSITORY / "examples/data"
TABLE = DATA / "glove50-top10k-f16.safetensors"
COUNTS = DATA / "glove50-top10k.freq.npy"


def main():
    example = optimum.build_example()
    table = load_file(TABLE)["weight"].astype(np.float64)
    frequencies = ["--frequencies", COUNTS, "--smoothing", 1]
    weightings = [("plain", np.ones(len(table)), []), ("weighted by frequency", np.load(COUNTS) + 1.0, frequencies)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "factors.safetensors"
        for name, weights, options in weightings:
            optima = optimum.optimal_errors(table, weights)
            for rank in [1, 10, 25, 40]:
                optimum.compress(example, TABLE, "weight", rank, out, *options)
                error = optimum.error_of_file(out, table, weights)
                optimum.check(f"GloVe, {name}", rank, error, optima[rank])
            for method in ["qr", "gram"]:
                optimum.compress(example, TABLE, "weight", 25, out, "--method", method, *options)
                error = optimum.error_of_file(out, table, weights)
                optimum.check(f"GloVe, {name}, {method}", 25, error, optima[25])


if __name__ == "__main__":
    main()
