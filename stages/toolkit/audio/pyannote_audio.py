"""Owns how pyannote.audio is given sound and a device, for every backend that uses it.

It is given samples, never paths: its own reading of files needs a torchcodec that fits torch and ffmpeg both.
"""

from __future__ import annotations

import warnings

import torch

from shared.stage import Device
from stages.toolkit.audio.waveform import SPEECH_RATE, Samples

# Said about weights that were saved by older versions and work all the same; about a torchcodec that is not used; and
# about TensorFloat-32, which the library switches off so that results repeat.
warnings.filterwarnings("ignore", module=r"(pyannote|lightning|torch)\b.*")
warnings.filterwarnings("default", module=r"torch\.cuda\b.*")  # says what is wrong with a card


def as_file(samples: Samples) -> dict[str, object]:
    """Return samples at `SPEECH_RATE`, as pyannote takes what it calls a file."""
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": SPEECH_RATE, "uri": "audio"}


def torch_device(device: Device) -> torch.device:
    """Return the device as torch calls it, and limit torch's threads."""
    torch.set_num_threads(device.threads)
    return torch.device(device.kind)
