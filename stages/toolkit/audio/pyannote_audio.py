"""Convert sound and devices to the forms of pyannote.audio, for all backends that use it.

The library gets samples instead of paths, because its own reader needs a torchcodec that fits both torch and ffmpeg.
"""

from __future__ import annotations

import warnings

import torch

from shared.stage import Device
from stages.toolkit.audio.waveform import SPEECH_RATE, Samples

# Warnings about weights of older versions, which still work; about torchcodec, which is not used; and about
# TensorFloat-32, which the library switches off so that results are repeatable.
warnings.filterwarnings("ignore", module=r"(pyannote|lightning|torch)\b.*")
warnings.filterwarnings("default", module=r"torch\.cuda\b.*")  # warns of faults of a card


def as_file(samples: Samples) -> dict[str, object]:
    """Return samples at `SPEECH_RATE` in the form that pyannote calls a file."""
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": SPEECH_RATE, "uri": "audio"}


def torch_device(device: Device) -> torch.device:
    """Return the device for torch, and set the number of torch's threads."""
    torch.set_num_threads(device.threads)
    return torch.device(device.kind)
