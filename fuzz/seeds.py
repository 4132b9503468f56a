"""Writes the seeds of the fuzz targets: small files of every kind that is read. `python3 fuzz/seeds.py`

The golden files of the formats of this crate are seeds, too. Inputs that a run found worth keeping stand beside these under
other names."""

import gzip
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).parent
GOLDEN = ROOT.parent / "tests" / "data"
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "U32": 4}


def put(target, name, data):
    path = ROOT / "corpus" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def floats(*numbers):
    return struct.pack(f"<{len(numbers)}f", *numbers)


def halves(*numbers):
    return struct.pack(f"<{len(numbers)}e", *numbers)


def tensors(metadata, *entries):
    """A file of these tensors (name, type, shape, bytes or None for zeros)."""
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, dtype, shape, numbers in entries:
        size = SIZES[dtype]
        for length in shape:
            size *= length
        numbers = bytes(size) if numbers is None else numbers
        assert len(numbers) == size, name
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += numbers
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def write_safetensors():
    put("safetensors", "none", tensors(None))
    six = floats(1, 2, 3, 4, 5, 6)
    put("safetensors", "table", tensors(None, ("a", "F32", [2, 3], six)))
    kinds = [("half", "F16", [2, 3], None), ("brain", "BF16", [1, 2, 3], None), ("codes", "I8", [2, 2], None)]
    put("safetensors", "kinds", tensors({"format": "pt"}, *kinds, ("bytes", "U8", [3], None)))
    albert = [
        ("albert.embeddings.word_embeddings.weight", "F32", [3, 2], six),
        ("albert.encoder.embedding_hidden_mapping_in.weight", "F32", [3, 2], six),
        ("albert.encoder.embedding_hidden_mapping_in.bias", "F32", [3], None),
    ]
    put("safetensors", "albert", tensors(None, *albert))
    vision = [
        ("vit.embeddings.patch_embeddings.projection.weight", "F16", [2, 1, 2, 2], None),
        ("vit.embeddings.position_embeddings", "F32", [1, 3, 2], six),
    ]
    put("safetensors", "vision", tensors(None, *vision))
    put("safetensors", "tied", tensors(None, ("wte.weight", "F32", [3, 2], six), ("lm_head.weight", "F32", [3, 2], six)))
    original = {"wte.weight.original_shape": "[3, 2]", "wte.weight.original_dtype": "f16"}
    metadata = {"wte.weight.format": "factorized-embedding", "wte.weight.version": "1", **original}
    factors = [("wte.weight.u", "F32", [3, 1], floats(1, 2, 3)), ("wte.weight.v", "F32", [1, 2], floats(4, 5))]
    put("safetensors", "compressed", tensors(metadata, *factors, ("h.weight", "F32", [1], None)))
    metadata, entries = quantized("scalar")
    metadata = {f"t.{name}": value for name, value in metadata.items()}
    metadata |= {"t.original_shape": "[5, 4]", "t.original_dtype": "f32"}
    put("safetensors", "codes", tensors(metadata, *[(f"t.{name}", *rest) for name, *rest in entries]))


def quantized(level):
    dim = {"scalar": 4, "trellis": 16}[level]
    metadata = {"format": "factorized-embedding-quantized", "version": "1", "level": level, "vocab_size": "5"}
    metadata |= {"rank": str(dim), "dim": str(dim), "log2_unit": "-1", "hadamard_seed": "7"}
    if level == "trellis":
        metadata["window_bits"] = "10"
    entries = [
        ("groups", "U32", [1], None),
        ("scales", "F16", [dim], halves(*[1] * dim)),
        ("widths", "U8", [1, dim // 2], b"\x22" * (dim // 2)),
        ("codes", "U8", [5 * dim // 4 + 16], bytes(range(5 * dim // 4)) + bytes(16)),
    ]
    return metadata, entries


def write_own_formats():
    for name in ["factors", "block-factors", "optimizer"]:
        put("factors", name, (GOLDEN / f"{name}-v1.safetensors").read_bytes())
    put("quantized", "golden", (GOLDEN / "quantized-factors-v1.safetensors").read_bytes())
    for level in ["scalar", "trellis"]:
        metadata, entries = quantized(level)
        put("quantized", level, tensors(metadata, *entries))
    metadata = {"format": "factorized-embedding", "version": "1"}
    v = ("v", "F32", [2, 3], floats(1, 2, 3, 4, 5, 6))
    for dtype in ["F16", "BF16"]:
        put("factors", dtype.lower(), tensors(metadata, ("u", dtype, [3, 2], None), v))
    codes = [("u", "I8", [3, 2], bytes([1, 2, 3, 253, 254, 255])), ("u_scales", "F32", [2], floats(0.5, 1))]
    put("factors", "codes", tensors(metadata, *codes, v, ("bias", "F32", [3], None)))
    rules = {
        "sgd": ({}, []),
        "sgd_nesterov": ({"momentum": "0.9"}, ["momentum"]),
        "adagrad": ({"initial_accumulator": "0.1", "epsilon": "0.00001"}, ["sum"]),
        "adam_w": (
            {"beta1": "0.9", "beta2": "0.99", "epsilon": "0.001", "weight_decay": "0.01"},
            ["first_moment", "second_moment"],
        ),
    }
    for rule, (settings, slots) in rules.items():
        metadata = {"format": "factorized-embedding-optimizer", "version": "1", "rule": rule, "steps.u": "3"} | settings
        put("factors", rule, tensors(metadata, *[(f"u.{slot}", "F32", [2, 2], None) for slot in slots]))


def write_json():
    files = {"a": "one.safetensors", "b": "below/two.safetensors"}
    put("index", "both", json.dumps({"metadata": {"total_size": 48}, "weight_map": files}))
    put("index", "one", json.dumps({"weight_map": {"a": "one.safetensors"}, "other": [1.5e300, None, {"x": "\u00e9"}]}))
    put("index", "outside", json.dumps({"weight_map": {"a": "../one.safetensors", "b": "/two.safetensors"}}))
    put("index", "twice", '{"weight_map":{"a":"one.safetensors","a":"below/two.safetensors"}}')
    sizes = {"vocab_size": 2, "n_embd": 3, "tie_word_embeddings": True}
    put("config", "gpt2", json.dumps({"model_type": "gpt2", **sizes, "layer_norm_epsilon": 1e-05}))
    put("config", "bert", json.dumps({"hidden_size": 3, "embedding_size": 3, "factorized_embedding": {}}))
    put("config", "adapter", json.dumps({"r": 1, "lora_alpha": 4, "use_rslora": True, "rank_pattern": {}}))
    put("config", "dora", json.dumps({"use_dora": True, "alpha_pattern": {"x": 1}, "r": 1, "lora_alpha": 1e400}))


def write_words():
    put("word2vec", "plain", b"2 3\nice " + floats(1, 2, 3) + b"the " + floats(4, 5, 6))
    put("word2vec", "lines", b"2 1\nice " + floats(1) + b"\n " + floats(-0.5) + b"\n")
    put("word2vec", "twice", b"3 1\na " + floats(1) + b"a " + floats(2) + b"b " + floats(float("nan")))
    put("word2vec", "promise", b"99999999999 300\nice " + floats(1, 2, 3))
    put("word2vec", "gzip", gzip.compress(b"1 1\nice " + floats(1), mtime=0))
    put("glove", "plain", "ice 0.5 1.0 -2e-3\nice cream 1 2 3\n")
    put("glove", "header", "2 2\nthe 0.25 1e10\ncat -1.5 .5 \r\n")
    put("glove", "tabs", "a\t1\t2\nb 3 4\na 5 6")
    put("glove", "words", "the\nline\\nfeed\\t\\\\\n\u00e9\n")
    put("glove", "gzip", gzip.compress(b"ice 1 2\nthe 3 4\n", mtime=0))


def write_npy():
    def array(name, descriptor, shape, data, order=False, version=1):
        header = f"{{'descr': '{descriptor}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
        length = struct.pack("<H" if version == 1 else "<I", len(header) + 1)
        put("npy", name, b"\x93NUMPY" + bytes([version, 0]) + length + header + b"\n" + data)

    six = [1, 2, 3, 4, 5, 6]
    array("f4", "<f4", "(2, 3)", floats(*six))
    array("columns", "<f4", "(3, 2)", floats(*six), order=True, version=2)
    array("f2", ">f2", "(3, 2)", struct.pack(">6e", *six))
    array("f8", "<f8", "(1, 6)", struct.pack("<6d", *six))
    array("huge", "<f4", "(4294967295, 4294967295)", b"")
    put("npy", "huge-header", b"\x93NUMPY\x02\0" + struct.pack("<I", 0xFFFFFFFF) + b"{'descr': '<f4'")
    array("row", "<f4", "(6,)", floats(*six))
    array("i8", "<i8", "(1, 1)", bytes(8))


if __name__ == "__main__":
    write_safetensors()
    write_own_formats()
    write_json()
    write_words()
    write_npy()
