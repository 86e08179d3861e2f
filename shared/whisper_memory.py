"""Estimate the memory of a Whisper model under CTranslate2, for the stages that recognise and translate with it."""

from __future__ import annotations

from shared.stage import Resources

# faster-whisper's table for large-v2 (3.09 GB of weights) on an RTX 3070 Ti, in MB: 4,525 for one window and 6,090 for
# eight in half precision, 2,926 and 4,500 with 8-bit weights. Of each, 450 are the context. The rest is this, and so it
# is for smaller models, whose windows and buffers shrink with their weights.
_GIB, _BUFFERS, _WINDOW = 0.5, 0.15, 0.075


def whisper_resources(windows: int, memory_gib: float, weights: float = 1.0) -> Resources:
    """Return the resources for decoding this number of windows at once. `weights` is the number of bytes in memory for
    each byte of the files, which hold half precision."""
    return Resources(
        cpus=2, memory_gib=memory_gib, time_per_media_s=10.0, gpu_memory_gib=_GIB,
        gpu_per_weight=weights + _BUFFERS + _WINDOW * windows,
    )  # fmt: skip
