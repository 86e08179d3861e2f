"""Writes a Hybrid Transformer Demucs with few, random weights, as its repository holds it: `tiny_demucs.py FOLDER`.

With a second word, `pickle`, the same as a `.th` file, as its authors' own server has it.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from fractions import Fraction
from pathlib import Path

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

SIGNATURE = "0123abcd"
SETTINGS = {
    "sources": ["drums", "bass", "other", "vocals"], "channels": 8, "depth": 4, "t_layers": 1, "t_heads": 2,
    "segment": Fraction(2), "samplerate": 44_100,
}  # fmt: skip


def main(folder: Path, pickled: bool) -> None:
    torch.manual_seed(0)
    state = HTDemucs(**SETTINGS).state_dict()
    (folder / "htdemucs.yaml").write_text(f"models: ['{SIGNATURE}']\n", encoding="utf-8")
    if pickled:
        content = io.BytesIO()
        torch.save({"klass": HTDemucs, "args": (), "kwargs": SETTINGS, "state": state}, content)
        digest = hashlib.sha256(content.getvalue()).hexdigest()
        (folder / f"{SIGNATURE}-{digest[:8]}.th").write_bytes(content.getvalue())
        return
    segment = {"_type": "fraction", "numerator": 2, "denominator": 1}
    stated = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps({**SETTINGS, "segment": segment})}
    save_file(state, folder / f"{SIGNATURE}.safetensors", stated)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "pickle" in sys.argv[2:])
