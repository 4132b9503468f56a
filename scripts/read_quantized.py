"""Reads a file of quantized factors by docs/quantized-format.md, with nothing of the crate but its codebooks.

    python3 scripts/read_quantized.py FILE [TABLE.npy]    # writes the table [vocab_size, dim], or prints its shape
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

SOURCES = Path(__file__).resolve().parent.parent / "src/factors/quantized"
DTYPES = {"U8": "u1", "U32": "<u4", "F16": "<f2"}


def constants(path, pattern):
    """The numbers of a list of constants of the crate."""
    text = re.search(pattern + r" = \[(.*?)\];", (SOURCES / path).read_text(), re.DOTALL).group(1)
    return np.array([float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)])


def codebook(width, trellis):
    if trellis:
        half = constants("trellis/tables.rs", r"HALVES: [^=]*").reshape(4, 512)[width - 1] / 32
    else:
        half = constants("lloyd_max.rs", r"const POSITIVE: [^=]*")[2 ** (width - 1) - 1 :][: 2 ** (width - 1)]
        return np.concatenate([-half[::-1], half])
    return np.concatenate([half, -half[::-1]])


def numbers(bits, width):
    """Numbers of so many bits each from the last axis of an array of bits, the lowest bit first."""
    whole = bits.shape[-1] // width * width
    return bits[..., :whole].reshape(*bits.shape[:-1], -1, width) @ (1 << np.arange(width))


def tensors(path):
    """The metadata of a safetensors file, and its tensors."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__")
    array = lambda of: np.frombuffer(data[start:][slice(*of["data_offsets"])], DTYPES[of["dtype"]]).reshape(of["shape"])
    return metadata, {name: array(tensor) for name, tensor in header.items()}


def bits_of(array):
    return np.unpackbits(array, axis=-1, bitorder="little").astype(np.int64)


def walsh_hadamard(columns):
    """The orthonormal transform of the rows of an array, as many as a power of two."""
    out, half = columns.copy(), 1
    while half < len(out):
        pairs = out.reshape(-1, 2, half, out.shape[1])
        out = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(out.shape)
        half *= 2
    return out / np.sqrt(len(out))


def hadamard(seed, dim):
    signs = []
    for i in range(1, 2 * dim + 1):
        z = (seed + i * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        signs.append(-1.0 if (z ^ z >> 31) >> 63 else 1.0)
    size, matrix = 2 ** (dim.bit_length() - 1), np.eye(dim)
    for round in np.reshape(signs, (2, dim)):
        matrix *= round[:, None]
        matrix[:size] = walsh_hadamard(matrix[:size])
        if size < dim:
            matrix[dim - size :] = walsh_hadamard(matrix[dim - size :])
    return matrix


def read(path):
    """The table [vocab_size, dim]."""
    metadata, file = tensors(path)
    assert metadata["format"] == "factorized-embedding-quantized" and metadata["version"] == "1", metadata
    vocab_size, rank, dim = (int(metadata[name]) for name in ["vocab_size", "rank", "dim"])
    scales = file["scales"].astype(np.float64)
    if "basis_bits" in metadata:
        width, size = int(metadata["basis_bits"]), rank * dim
        codes, kinds = np.split(file["basis"], [-(-size * int(metadata["basis_bits"]) // 8)])
        codes = numbers(bits_of(codes), width)[:size].reshape(rank, dim)
        uniform, lloyd_max = codes - (2**width - 1) / 2, codebook(width, False)[codes]
        directions = np.where(bits_of(kinds)[:rank, None] == 0, uniform, lloyd_max) * scales[:rank, None]
        scales = scales[rank:]
    else:
        directions = hadamard(int(metadata["hadamard_seed"]), dim)
    widths = numbers(bits_of(file["widths"]), 4)[:, :rank]
    if "offsets" in file:
        group_of = numbers(bits_of(file["groups"]), 4)[:vocab_size]
    else:
        group_of = np.searchsorted(file["groups"], np.arange(vocab_size), side="right") - 1
    scale_bits, scale_min, scale_step = metadata.get("row_scales", "0 0 0").split(" ")
    scale_bits, scale_min, scale_step = int(scale_bits), np.float32(scale_min), np.float32(scale_step)
    code_bits = widths.sum(axis=1)
    row_bytes = -(-(code_bits + np.where(code_bits > 0, scale_bits, 0)) // 8)
    starts = np.concatenate([[0], np.cumsum(row_bytes[group_of])])
    assert len(file["codes"]) == starts[-1] + 16
    assert "offsets" not in file or (file["offsets"] == starts[:-1:64]).all()

    coordinates = np.zeros((vocab_size, rank))
    for group, (of_group, bits_of_codes) in enumerate(zip(widths, code_bits)):
        used = of_group > 0
        sigma, scales = scales[: used.sum()], scales[used.sum() :]
        rows = np.flatnonzero(group_of == group)
        if not used.any() or not len(rows):
            continue
        bits = bits_of(file["codes"][starts[rows, None] + np.arange(row_bytes[group])])
        steps = of_group[used & (of_group <= 4)].sum()
        is_trellis = metadata["level"] == "trellis" and steps >= 32
        circle, end, values = bits_of_codes - steps, 0, np.zeros((len(rows), rank))
        for direction in sorted(np.flatnonzero(used), key=lambda direction: -of_group[direction]):
            width = int(of_group[direction])
            end += width
            if is_trellis and width <= 4:
                window = circle + (end - circle - 10 + np.arange(10)) % steps
                values[:, direction] = codebook(width, True)[numbers(bits[:, window], 10)[:, 0]]
            else:
                values[:, direction] = codebook(width, False)[numbers(bits[:, end - width : end], width)[:, 0]]
        values[:, used] *= sigma
        if scale_bits:
            code = numbers(bits[:, end : end + scale_bits], scale_bits)
            values *= np.where(code == 0, 0.0, np.exp2(float(scale_min) + float(scale_step) * (code - 1.0)))
        coordinates[rows] = values
    mean = file["mean"].astype(np.float64) if "mean" in file else 0.0
    return 2.0 ** int(metadata["log2_unit"]) * (mean + coordinates @ directions)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    table = read(sys.argv[1])
    if len(sys.argv) == 3:
        np.save(sys.argv[2], table.astype(np.float32))
    else:
        print(f"{table.shape[0]} × {table.shape[1]}")


if __name__ == "__main__":
    main()
