"""Finds the words of corrections among the pieces of a text, so that the rest is laid out around them.

A correction that fixes lines and times takes the place of its words. Of another the words alone count: they are in the
text already, and are laid out like all others; where a layout shows other words, the user's cue stands instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from shared.documents.cue import Cue, ReadCues
from shared.documents.pins import Pin
from shared.documents.speech import Region
from stages.subtitle.times import Laid
from stages.toolkit.cues.marks import words_of_lines
from stages.toolkit.cues.words import Piece
from stages.toolkit.text.word_times import bare, tokens_of

_AROUND_MS = 3_000  # words of a text without word times are looked for so far from where they should be
_SOUND_MS = 2_000
_FRAME_MS = 42  # formats that count frames or hundredths round times


def with_marks(pieces: Sequence[Piece], pins: Sequence[Pin]) -> list[Piece]:
    """Return the pieces with the numbers of the pins whose words they are."""
    found = list(pieces)
    for number, pin in enumerate(pins):
        first, last = _place(found, pin)
        for place in range(first, last):
            if found[place].pin is None:
                found[place] = replace(found[place], pin=number)
    return found


def with_pins(laid: Iterable[Laid], pins: Sequence[Pin], speaker_of: Callable[[Cue], str | None]) -> list[Laid]:
    """Return the cues in order, with the pins' cues instead of those that stand for them, and without sounds that a pin
    removed."""
    left = list(range(len(pins)))
    found: list[Laid] = []
    for one in laid:
        if one.pin is None:
            if not any(_is_removed(one, pin) for pin in pins):
                found.append(one)
        elif one.pin in left:
            left.remove(one.pin)
            found += _fixed(pins[one.pin], speaker_of)
    for number in left:
        found += _fixed(pins[number], speaker_of)
    return sorted(found, key=lambda one: one.start_ms)


def shows(cues: Sequence[Cue], pin: Pin) -> bool:
    """Tell whether the cues around the place of a pin show its words as the user wrote them; its lines, if those are
    sounds alone."""
    spoken = [cue.spoken or Region(start_ms=cue.start_ms, end_ms=cue.end_ms) for cue in pin.cues]
    start_ms, end_ms = spoken[0].start_ms - _AROUND_MS, spoken[-1].end_ms + _AROUND_MS
    near = [cue for cue in cues if cue.start_ms < end_ms and cue.end_ms > start_ms]
    wanted = _said(pin.cues)
    return (
        f" {wanted} " in f" {_said(near)} "
        if wanted
        else {cue.lines for cue in pin.cues} <= {one.lines for one in near}
    )


def _said(cues: Sequence[Cue]) -> str:
    return " ".join(word for cue in cues for word in words_of_lines(cue.lines).split())


def is_same(cues: Sequence[Cue], read: ReadCues) -> bool:
    """Tell whether a file shows these cues."""
    told = sorted((cue for cue in read.cues if cue.lines), key=lambda cue: (cue.start_ms, cue.end_ms))
    slack_ms = _FRAME_MS if read.format in {"ass", "ttml", "scc"} else 0
    return len(told) == len(cues) and all(
        one.lines == other.lines
        and abs(one.start_ms - other.start_ms) <= slack_ms
        and abs(one.end_ms - other.end_ms) <= slack_ms
        for one, other in zip(cues, told, strict=True)
    )


def _place(pieces: Sequence[Piece], pin: Pin) -> tuple[int, int]:
    """Return where the pieces of a pin's words begin and end: the nearest that say the same, else those in its time."""
    times = [cue.spoken for cue in pin.cues if cue.spoken]
    if not times:
        return 0, 0
    start_ms, end_ms = min(one.start_ms for one in times), max(one.end_ms for one in times)
    wanted = _heard(token for cue in pin.cues for token, _ in tokens_of(words_of_lines(cue.lines)))
    near = [
        n for n, one in enumerate(pieces) if start_ms - _AROUND_MS < one.end_ms and one.start_ms < end_ms + _AROUND_MS
    ]
    same = [(n, last) for n in near if (last := _end(pieces, n, wanted))]
    if same:
        return min(same, key=lambda span: (abs(pieces[span[0]].start_ms - start_ms), span))
    inside = [n for n in near if start_ms <= (pieces[n].start_ms + pieces[n].end_ms) // 2 < end_ms]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _end(pieces: Sequence[Piece], first: int, wanted: str) -> int | None:
    """Return the end of the pieces from `first` on that say what is wanted; None if they say something else."""
    said = ""
    for place in range(first, len(pieces)):
        if pieces[place].pin is not None:
            return None
        said += _heard([pieces[place].text])
        if not wanted.startswith(said):
            return None
        if said == wanted:
            return place + 1
    return None


def _heard(texts: Iterable[str]) -> str:
    return "".join(map(bare, texts))


def _fixed(pin: Pin, speaker_of: Callable[[Cue], str | None]) -> Iterator[Laid]:
    for cue in pin.cues:
        spoken = cue.spoken or Region(start_ms=cue.start_ms, end_ms=cue.end_ms)
        cue = cue.model_copy(update={"speaker": speaker_of(cue), "spoken": None})
        yield Laid(cue.lines, spoken.start_ms, spoken.end_ms, cue.speaker, cue.italic, fixed=cue)


def _is_removed(laid: Laid, pin: Pin) -> bool:
    """Tell whether a sound is one that a correction removed or changed."""
    if words_of_lines(laid.lines):
        return False
    return any(cue.lines == laid.lines and abs(cue.start_ms - laid.start_ms) < _SOUND_MS for cue in pin.before)
