"""Decompositions of a table by this crate and by what Python has, in turns, round by round.

    python3 -m pip install -r benches/python/requirements.txt
    python3 benches/python/decompose.py [--table FILE --tensor NAME] [--rank 96] [--rounds 7]

Without a table it makes two of random numbers, 30,522 × 384 and 250,000 × 384, with singular values like those of a token
table. Prints, for each method, the median and the best time in seconds, how many times as long as the fastest it takes, and
the relative error of the rank-r approximation. Times end with U, D and V in hand; those of this crate include its measuring
of the errors, and f64 sums. Every library uses all cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
OURS = ["svd/qr", "svd/gram", "svd/gram_f32", "randomized", "randomized/f64"]


def main():
    arguments = parse()
    warnings.filterwarnings("ignore")
    build = ["cargo", "bench", "--bench", "decompose", "--no-run"]
    subprocess.run(build, cwd=ROOT, check=True)
    for vocab_size in [None] if arguments.table else [30_522, 250_000]:
        with tempfile.TemporaryDirectory() as folder:
            path, tensor = arguments.table, arguments.tensor
            if vocab_size:
                path, tensor = Path(folder) / "table.safetensors", "weight"
                save_file({tensor: made_up(vocab_size)}, path)
            table = np.ascontiguousarray(load_file(path)[tensor].astype(np.float32))
            compare(arguments, path, tensor, table)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", help="a safetensors file")
    parser.add_argument("--tensor", help="the table in it", default="embeddings.word_embeddings.weight")
    parser.add_argument("--rank", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def made_up(vocab_size, dim=384):
    rng = np.random.default_rng(5)
    mixed = rng.standard_normal((dim, dim), dtype=np.float32) / np.float32(dim**0.5)
    decay = (1 / (1 + np.arange(dim) / 30)).astype(np.float32)
    return rng.standard_normal((vocab_size, dim), dtype=np.float32) @ (mixed * decay[:, None])


def numpy_svd(table, rank):
    u, s, v = np.linalg.svd(table, full_matrices=False)
    return u[:, :rank], s[:rank], v[:rank]


def numpy_gram(table, rank):
    values, vectors = np.linalg.eigh(table.T @ table)
    v = vectors[:, ::-1][:, :rank]
    s = np.sqrt(np.maximum(values[::-1][:rank], 0))
    return table @ v / s, s, v.T


def scipy_svds(table, rank):
    from scipy.sparse.linalg import svds

    return svds(table, k=rank)


def sklearn_randomized(table, rank):
    from sklearn.utils.extmath import randomized_svd

    return randomized_svd(table, rank, random_state=0)


def sklearn_covariance(table, rank):
    """It takes the mean off; U·S is what `fit_transform` gives."""
    from sklearn.decomposition import PCA

    pca = PCA(rank, svd_solver="covariance_eigh")
    return pca.fit_transform(table), None, pca.components_, pca.mean_


PYTHON = {
    "numpy.linalg.svd": numpy_svd,
    "numpy E.T @ E, eigh (f32)": numpy_gram,
    "scikit-learn PCA covariance_eigh": sklearn_covariance,
    "scikit-learn randomized_svd": sklearn_randomized,
    "scipy.sparse.linalg.svds": scipy_svds,
}


def error(table, factors):
    u, s, v, *mean = factors
    approximation = (u if s is None else u * s) @ v + (mean[0] if mean else 0)
    residual = table.astype(np.float64) - approximation
    return np.linalg.norm(residual) / np.linalg.norm(table.astype(np.float64))


def compare(arguments, path, tensor, table):
    command = ["cargo", "bench", "--quiet", "--bench", "decompose", "--", "--serve", str(Path(path).resolve()), tensor]
    times, errors = {}, {}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        for _ in range(arguments.rounds + 1):  # The first round warms up.
            for name in OURS:
                server.stdin.write(f"{name} {arguments.rank}\n")
                server.stdin.flush()
                seconds, relative_error = map(float, server.stdout.readline().split())
                times.setdefault(f"ours: {name}", []).append(seconds)
                errors[f"ours: {name}"] = relative_error
            for name, method in PYTHON.items():
                start = time.perf_counter()
                factors = method(table, arguments.rank)
                times.setdefault(name, []).append(time.perf_counter() - start)
                if name not in errors:
                    errors[name] = error(table, factors)
        server.stdin.close()
    report(arguments, table, {name: seconds[1:] for name, seconds in times.items()}, errors)


def report(arguments, table, times, errors):
    import scipy
    import sklearn

    rows, columns = table.shape
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    print(f"\n{rows:,} × {columns}, rank {arguments.rank}, {os.cpu_count()} cores, medians of {arguments.rounds} rounds; {versions}\n")
    fastest = min(statistics.median(seconds) for seconds in times.values())
    print("| method | median, s | best, s | × fastest | relative error |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, seconds in sorted(times.items(), key=lambda entry: statistics.median(entry[1])):
        median = statistics.median(seconds)
        print(f"| {name} | {median:.3f} | {min(seconds):.3f} | {median / fastest:.2f} | {errors[name]:.6f} |")


if __name__ == "__main__":
    main()
