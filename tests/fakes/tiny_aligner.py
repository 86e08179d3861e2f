"""An aligner for English as torchaudio has it: the real, fixed architecture, with few numbers written many times.

    tiny_aligner.py FOLDER      writes the file that torchaudio's bundle WAV2VEC2_ASR_BASE_960H loads

The network has 94 million weights, and a file keeps what its tensors share once. It knows nothing of speech.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torchaudio

_BUNDLE = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H
_SHARED = 1 << 15  # numbers
_NUMBERS = torch.randn(_SHARED, generator=torch.Generator().manual_seed(0)) / 30


def main(folder: Path) -> None:
    """Write the weights."""
    network = torchaudio.models.wav2vec2_model(**_BUNDLE._params)
    weights = {name: _shared(tensor) for name, tensor in network.state_dict().items()}
    torch.save(weights, folder / _BUNDLE._path)


def _shared(tensor: torch.Tensor) -> torch.Tensor:
    """A large weight as overlapping rows of few numbers; a small one as it was made."""
    if tensor.numel() <= 1024:
        return tensor
    rows = tensor.shape[0]
    step = max((_SHARED - tensor.numel() // rows) // rows, 1)
    return _NUMBERS.as_strided(tensor.shape, (step, *torch.empty(tensor.shape[1:]).stride()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
