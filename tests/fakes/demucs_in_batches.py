"""Prints by how much the sources of a WAV differ at most if segments are separated in batches, in steps of 16 bits:
`demucs_in_batches.py MODEL WAV`.

`MODEL` is a folder with weights, and `WAV` stands for the mix and for the speech track.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from shared.stage import Device
from stages.separate.demucs import load
from stages.separate.stage import AT_ONCE, Mix, SeparateParams
from stages.toolkit.audio.waveform import Samples


def sources(model: Path, wav: Path, at_once: int) -> Samples:
    """Return all sources of the mix, `(sources, channels, samples)`."""
    engine = load({"separator": model}, Device(options={AT_ONCE: at_once}))
    return np.concatenate([parts for parts, _ in engine._parts(Mix(wav), SeparateParams(shifts=2))], -1)


def main(model: Path, wav: Path) -> None:
    alone = sources(model, wav, 1)
    print(max(float(np.abs(sources(model, wav, at_once) - alone).max()) for at_once in (2, 4)) * 32_768)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
