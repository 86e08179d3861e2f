"""Divide a pack into windows, for recognisers that decode half a minute as a whole.

As in WhisperX' own merging (Bain et al. 2023, section 3), a window takes as many regions as fit, because the encoder
costs the same for a second as for thirty. Windows for a recogniser that times no words keep the pauses between the
regions (`Window`); those for a recogniser that times words do not (`JoinedWindow`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.speech import Region
from shared.documents.transcript import Segment
from stages.asr.decoded import DecodedSegment, DecodedWord
from stages.toolkit.cues.words import spread_text

WINDOW_MS = 30_000

Span = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A stretch that is decoded as a whole: its place in the audio, and its place in the pack in ms."""

    audio: Region
    pack: Span


def windows_of(pack: Sequence[Region]) -> list[Window]:
    """Return the windows of a pack, none longer than `WINDOW_MS`, each with as many stretches as fit."""
    windows: list[Window] = []
    done = 0
    for stretch in pack:
        length = stretch.end_ms - stretch.start_ms
        last = windows[-1] if windows else None
        if last and stretch.end_ms - last.audio.start_ms <= WINDOW_MS:
            wider = Region(start_ms=last.audio.start_ms, end_ms=stretch.end_ms)
            windows[-1] = Window(wider, (last.pack[0], done + length))
        else:
            windows.append(Window(stretch, (done, done + length)))
        done += length
    return windows


@dataclass(frozen=True)
class JoinedWindow:
    """Stretches of a pack that are decoded as a whole, without the pauses between them. The first begins at `start_ms`
    of the pack."""

    stretches: tuple[Region, ...]
    start_ms: int


def joined_windows(pack: Sequence[Region]) -> list[JoinedWindow]:
    """Return the windows of a pack without gaps, none above `WINDOW_MS`. No stretch may be longer than that."""
    windows: list[JoinedWindow] = []
    done = 0
    for stretch in pack:
        length = stretch.end_ms - stretch.start_ms
        if windows and done + length - windows[-1].start_ms <= WINDOW_MS:
            windows[-1] = JoinedWindow((*windows[-1].stretches, stretch), windows[-1].start_ms)
        else:
            windows.append(JoinedWindow((stretch,), done))
        done += length
    return windows


def segment_of_window(window: Window, text: str, log_probability: float) -> DecodedSegment:
    """Return the text of a window as a segment. Its words are spread over the window's part of the pack, each in
    proportion to its length, and have the probability that `log_probability` gives."""
    start, end = window.pack
    pieces = spread_text(text, Segment(id=0, text=text, start_ms=start, end_ms=end))
    probability = math.exp(min(log_probability, 0.0))
    words = tuple(
        DecodedWord(piece.text if piece.joined else f" {piece.text}", piece.start_ms, piece.end_ms, probability)
        for piece in pieces
    )
    return DecodedSegment(words, log_probability, 0.0, window.audio)
