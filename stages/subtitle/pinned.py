"""Find the words of corrections among the pieces of a text, and put the corrected cues into the layout.

The cues of a correction of lines or times replace its words. A correction of words only has no cues of its own: its
words are in the text already and are laid out like all others. Only if the layout then shows other words, the user's
cues replace them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from shared.documents.cue import Cue, ReadCues
from shared.documents.pins import Pin
from shared.documents.speech import Region
from stages.subtitle.times import LaidOutCue
from stages.toolkit.cues.marks import words_of_lines
from stages.toolkit.cues.words import Piece
from stages.toolkit.text.word_times import bare, tokens_of

_AROUND_MS = 3_000  # words of a text without word times are looked for so far from their place
_SOUND_MS = 2_000  # a sound's cue that begins so near to that of a correction is the same
_FRAME_MS = 42  # a frame at 24 per second: formats that count frames or hundredths round times


def mark_pinned(pieces: Sequence[Piece], pins: Sequence[Pin]) -> list[Piece]:
    """Return the pieces, those that are the words of a pin with its number."""
    found = list(pieces)
    for number, pin in enumerate(pins):
        first, last = _find_words(found, pin)
        for place in range(first, last):
            if found[place].pin is None:
                found[place] = replace(found[place], pin=number)
    return found


def replace_pinned(
    laid_out: Iterable[LaidOutCue], pins: Sequence[Pin], speaker_of: Callable[[Cue], str | None]
) -> list[LaidOutCue]:
    """Return the cues in order, with the cues of the pins in place of their placeholders, and without sounds that a pin
    removed."""
    remaining = list(range(len(pins)))
    found: list[LaidOutCue] = []
    for cue in laid_out:
        if cue.pin is None:
            if not any(_is_removed(cue, pin) for pin in pins):
                found.append(cue)
        elif cue.pin in remaining:
            remaining.remove(cue.pin)
            found += _fixed(pins[cue.pin], speaker_of)
    for number in remaining:
        found += _fixed(pins[number], speaker_of)
    return sorted(found, key=lambda cue: cue.start_ms)


def shows(cues: Sequence[Cue], pin: Pin) -> bool:
    """Tell whether the cues around the place of a pin show its words as the user wrote them. A pin without words, of
    sounds only, needs its lines."""
    spoken = [cue.spoken or Region(start_ms=cue.start_ms, end_ms=cue.end_ms) for cue in pin.cues]
    start_ms, end_ms = spoken[0].start_ms - _AROUND_MS, spoken[-1].end_ms + _AROUND_MS
    near = [cue for cue in cues if cue.start_ms < end_ms and cue.end_ms > start_ms]
    words = _words(pin.cues)
    if words:
        return f" {words} " in f" {_words(near)} "
    return {cue.lines for cue in pin.cues} <= {cue.lines for cue in near}


def _words(cues: Sequence[Cue]) -> str:
    """Return the words of cues, with single spaces between them."""
    return " ".join(word for cue in cues for word in words_of_lines(cue.lines).split())


def is_same(cues: Sequence[Cue], read: ReadCues) -> bool:
    """Tell whether a file shows these cues, with times as exact as its format has them."""
    shown = sorted((cue for cue in read.cues if cue.lines), key=lambda cue: (cue.start_ms, cue.end_ms))
    slack_ms = _FRAME_MS if read.format in {"ass", "ttml", "scc"} else 0
    return len(shown) == len(cues) and all(
        cue.lines == other.lines
        and abs(cue.start_ms - other.start_ms) <= slack_ms
        and abs(cue.end_ms - other.end_ms) <= slack_ms
        for cue, other in zip(cues, shown, strict=True)
    )


def _find_words(pieces: Sequence[Piece], pin: Pin) -> tuple[int, int]:
    """Return where the pieces of a pin's words begin and end: the nearest pieces with the same words, or those in its
    time. Both numbers are 0 if there are none."""
    times = [cue.spoken for cue in pin.cues if cue.spoken]
    if not times:
        return 0, 0
    start_ms, end_ms = min(time.start_ms for time in times), max(time.end_ms for time in times)
    text = _bare_text(token for cue in pin.cues for token, _ in tokens_of(words_of_lines(cue.lines)))
    near = [
        number
        for number, piece in enumerate(pieces)
        if start_ms - _AROUND_MS < piece.end_ms and piece.start_ms < end_ms + _AROUND_MS
    ]
    same = [(number, end) for number in near if (end := _end_of_match(pieces, number, text))]
    if same:
        return min(same, key=lambda span: (abs(pieces[span[0]].start_ms - start_ms), span))
    inside = [n for n in near if start_ms <= (pieces[n].start_ms + pieces[n].end_ms) // 2 < end_ms]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _end_of_match(pieces: Sequence[Piece], first: int, text: str) -> int | None:
    """Return the end of the pieces from `first` on whose words are this text; None if they have other words."""
    found = ""
    for place in range(first, len(pieces)):
        if pieces[place].pin is not None:
            return None
        found += _bare_text([pieces[place].text])
        if not text.startswith(found):
            return None
        if found == text:
            return place + 1
    return None


def _bare_text(texts: Iterable[str]) -> str:
    return "".join(map(bare, texts))


def _fixed(pin: Pin, speaker_of: Callable[[Cue], str | None]) -> Iterator[LaidOutCue]:
    """Yield the cues of a pin, which keep their lines and times."""
    for cue in pin.cues:
        spoken = cue.spoken or Region(start_ms=cue.start_ms, end_ms=cue.end_ms)
        cue = cue.model_copy(update={"speaker": speaker_of(cue), "spoken": None})
        yield LaidOutCue(cue.lines, spoken.start_ms, spoken.end_ms, cue.speaker, cue.italic, fixed=cue)


def _is_removed(sound: LaidOutCue, pin: Pin) -> bool:
    """Tell whether a correction removed or changed a sound's cue; false for a cue with words."""
    if words_of_lines(sound.lines):
        return False
    return any(cue.lines == sound.lines and abs(cue.start_ms - sound.start_ms) < _SOUND_MS for cue in pin.before)
