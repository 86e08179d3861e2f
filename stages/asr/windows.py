"""Windows of a pack, for recognizers that hear half a minute as a whole.

As in WhisperX' own merging (Bain et al. 2023, section 3), a window takes as many regions as fit, because the encoder
costs the same for a second as for thirty. A window for a recognizer that times no words keeps the pauses between them;
one for a recognizer that does is without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.speech import Region
from shared.documents.transcript import Segment
from stages.asr.heard import Heard, HeardWord
from stages.toolkit.cues.words import spread

WINDOW_MS = 30_000

Span = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A stretch that is decoded as a whole: its place in the audio, and in the pack, which has no gaps."""

    audio: Region
    pack: Span


def windows_of(pack: Sequence[Region]) -> list[Window]:
    """The windows of a pack, none above `WINDOW_MS`, each with as many stretches as fit."""
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
    """Stretches of a pack that are decoded as a whole, without what lies between them; it begins at `start_ms` of the
    pack."""

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


def heard_in(window: Window, text: str, log_probability: float) -> Heard:
    """The text of a window, its words spread over the speech in it, each in proportion to its length."""
    start, end = window.pack
    pieces = spread(text, Segment(id=0, text=text, start_ms=start, end_ms=end))
    probability = math.exp(min(log_probability, 0.0))
    words = tuple(
        HeardWord(piece.text if piece.joined else f" {piece.text}", piece.start_ms, piece.end_ms, probability)
        for piece in pieces
    )
    return Heard(words, log_probability, 0.0, window.audio)
