"""Separates a WAV by Demucs' own interface, which holds all of it at once: `demucs_itself.py MODEL WAV FOLDER`.

`MODEL` is a folder with `.th` files. Each source goes into `FOLDER` as a `.npy`, float32, `(channels, samples)`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from demucs.api import Separator

from stages.toolkit.audio.waveform import open_sound


def main(model: Path, wav: Path, folder: Path) -> None:
    sound = open_sound(wav)
    mix = torch.from_numpy(sound.read_frames(0, sound.samples).T.copy())
    _, parts = Separator("htdemucs", repo=model, shifts=0, device="cpu").separate_tensor(mix, sound.rate)
    for name, part in parts.items():
        np.save(folder / f"{name}.npy", part.numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
