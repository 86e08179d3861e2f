"""Declare the memory that the backends of stage `asr` take, and the fallbacks that take less."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from shared.stage import Fallback, Resources
from shared.whisper_memory import whisper_resources

PACKS_AT_ONCE = "packs_at_once"
"""A load option of Parakeet: how many packs it decodes in a batch. Without it, four on a card, one on a processor."""

_ONE, _ONE_8_BIT = whisper_resources(1, 4.0), whisper_resources(1, 4.0, weights=0.5)
_8_BIT: Mapping[str, JsonValue] = {"batch_size": 1, "compute_type": "int8_float16"}  # on a card

FASTER_WHISPER = whisper_resources(windows=8, memory_gib=3.0)
FASTER_WHISPER_FALLBACKS = (
    Fallback("one window at once", {"batch_size": 1}, resources=_ONE),
    Fallback("two hypotheses", {"batch_size": 1, "beam_size": 2}, resources=_ONE),
    Fallback("8-bit weights", {**_8_BIT, "beam_size": 2}, only_on="cuda", resources=_ONE_8_BIT),
    Fallback("8-bit weights", {"batch_size": 1, "beam_size": 2, "compute_type": "int8"}, only_on="cpu"),
    Fallback("the processor", device="cpu"),
)

WHISPERX = whisper_resources(windows=12, memory_gib=4.0)  # as many as a pack has
WHISPERX_FALLBACKS = (
    Fallback("four windows at once", {"batch_size": 4}, resources=whisper_resources(4, 4.0)),
    Fallback("one window at once", {"batch_size": 1}, resources=_ONE),
    Fallback("8-bit weights", _8_BIT, only_on="cuda", resources=_ONE_8_BIT),
    Fallback("8-bit weights", {"batch_size": 1, "compute_type": "int8"}, only_on="cpu"),
    Fallback("the processor", {"batch_size": 1}, device="cpu"),
)


def _parakeet(packs: int) -> Resources:
    """Return the resources for decoding `packs` packs at once.

    They are an estimate: the weights in single precision, and for each pack of five minutes the attention of 3,750
    frames to each other, in eight heads, several times at once.
    """
    return Resources(cpus=2, memory_gib=8.0, gpu_memory_gib=3.0 + 3.0 * packs, time_base_s=600.0, time_per_media_s=10.0)


PARAKEET = _parakeet(4)
PARAKEET_FALLBACKS = (
    Fallback("two packs at once", options={PACKS_AT_ONCE: 2}, only_on="cuda", resources=_parakeet(2)),
    Fallback("one pack at once", options={PACKS_AT_ONCE: 1}, only_on="cuda", resources=_parakeet(1)),
    Fallback("the processor", device="cpu"),
)
