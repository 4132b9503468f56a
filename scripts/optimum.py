"""The best error that factors of a rank can have, from singular values that numpy computes, and the error that factors have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

REPOSITORY = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-5


def compress(example, table, tensor, rank, out, *options):
    """Runs the example, and returns what the system says it used: what is measured is what the command line writes."""
    return run([example, table, "--tensor", tensor, "--rank", rank, "--out", out, *options])


def compress_within(example, table, tensor, size, out, *options):
    """The same for a file of at most so many bytes."""
    return run([example, table, "--tensor", tensor, "--bytes", size, "--out", out, *options])


def run(command):
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit("the example failed")
    return usage


def build_example(name="compress"):
    """Builds an example, and returns where cargo has put it. The variable EXAMPLE_FEATURES adds features to the default ones."""
    command = ["cargo", "build", "--release", "--quiet", "--example", name, "--message-format", "json"]
    command += ["--features", os.environ.get("EXAMPLE_FEATURES", "")]
    output = subprocess.run(command, check=True, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    (example,) = [message["executable"] for message in messages if message.get("executable")]
    return example


def optimal_errors(table, weights):
    """Eckart and Young: the error of every rank, from 0, by the energy of the singular values that it drops, of the table with row
    i times sqrt(weight i)."""
    singular_values = np.linalg.svd(np.sqrt(weights)[:, None] * table, compute_uv=False)
    dropped = np.append(np.cumsum(singular_values[::-1] ** 2)[::-1], 0.0)
    return np.sqrt(dropped / dropped[0])


def error_of_file(path, table, weights):
    factors = {name: tensor.astype(np.float64) for name, tensor in load_file(path).items()}
    approximation = (factors["u"] * factors["diagonal"]) @ factors["v"] + factors.get("bias", 0.0)
    squares = ((table - approximation) ** 2).sum(axis=1)
    return np.sqrt((weights * squares).sum() / (weights * (table**2).sum(axis=1)).sum())


def check(what, rank, error, optimum, tolerance=TOLERANCE):
    """Prints a line; ends the program when the error is not the optimum."""
    difference = abs(error - optimum) / optimum
    print(f"{what:<34} rank {rank:>4}   error {error:.7f}   optimum {optimum:.7f}   relative difference {difference:.1e}")
    if difference > tolerance:
        sys.exit(f"the error differs from the optimum by more than {tolerance} of it")
