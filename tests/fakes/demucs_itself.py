"""Separates a WAV by Demucs' own interface, which holds all of it at once: `demucs_itself.py MODEL WAV FOLDER`.

Writes each source into the folder as a `.npy`, float32, `(channels, samples)`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import yaml
from demucs.api import Separator
from demucs.apply import BagOfModels
from demucs.hf import load_safetensors_model

from stages.backends.waveform import open_sound


class Loaded(Separator):
    """A separator with the model in a folder instead of one from the hub."""

    def _load_model(self) -> None:
        folder = Path(self._name)
        stated = yaml.safe_load((folder / "htdemucs.yaml").read_text())
        files = [folder / f"{signature}.safetensors" for signature in stated["models"]]
        self._model = BagOfModels([load_safetensors_model(file) for file in files])
        self._model.eval()
        self._audio_channels, self._samplerate = self._model.audio_channels, self._model.samplerate


def main(model: str, wav: Path, folder: Path) -> None:
    sound = open_sound(wav)
    torch.set_num_threads(1)
    mix = torch.from_numpy(sound.read_frames(0, sound.samples).T.copy())
    _, parts = Loaded(model, shifts=0, device="cpu").separate_tensor(mix, sound.rate)
    for name, part in parts.items():
        np.save(folder / f"{name}.npy", part.numpy())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
