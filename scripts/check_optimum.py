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
    plain = np.ones(len(table))
    weighted = np.load(COUNTS) + 1.0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "factors.safetensors"
        for rank in [1, 10, 25, 40]:
            optimum.compress(example, TABLE, "weight", rank, out)
            error = optimum.error_of_file(out, table, plain)
            optimum.check("GloVe, plain", rank, error, optimum.optimal_error(table, rank, plain))

            optimum.compress(example, TABLE, "weight", rank, out, "--frequencies", COUNTS, "--smoothing", 1)
            error = optimum.error_of_file(out, table, weighted)
            optimum.check("GloVe, weighted by frequency", rank, error, optimum.optimal_error(table, rank, weighted))


if __name__ == "__main__":
    main()
