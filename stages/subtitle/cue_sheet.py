"""From a transcript to cues: words, songs, names and sounds, each laid out by its own rule, then timed as one.

After the Netflix guides: a song's cue begins and ends with a note; what is heard and who speaks stands in brackets, a
sound where no words are shown, and a name where the speaker changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from shared.documents.cue import Cue
from shared.documents.diarization import speaker_number
from shared.documents.pins import Pin
from shared.documents.removals import Label
from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.text.guide_limits import Limits
from shared.text.text_width import places
from stages.subtitle.cue_layout import lay_out
from stages.subtitle.numbers import write_out
from stages.subtitle.pinned import with_marks, with_pins
from stages.subtitle.shot_changes import keep_to_shots
from stages.subtitle.speakers import speakers
from stages.subtitle.spoken_times import translated
from stages.subtitle.stage import Wishes
from stages.subtitle.times import Laid, needed_ms, set_times
from stages.toolkit.cues.marks import NOTE, in_brackets, with_notes
from stages.toolkit.cues.words import Piece, fitted, spoken

_LABEL_MS = 2_000  # a sound is told of for so long, however long it lasts


def make_cues(
    transcript: Transcript, translation: Translation | None, limits: Limits, wishes: Wishes, pins: Sequence[Pin] = ()
) -> tuple[Cue, ...]:
    """Return the cues of a transcript, or of its translation, with their times, laid out around the cues of pins."""
    end_ms = transcript.duration_ms
    names = _Names(transcript, wishes.speaker, limits.line_length)
    laid: list[Laid] = []
    for sung, segments in groupby(transcript.segments, key=lambda segment: segment.sung):
        part = transcript.model_copy(update={"segments": tuple(segments)})
        if sung and wishes.songs == "skip":
            continue
        marked = sung and wishes.songs == "mark"
        room = replace(limits, line_length=limits.line_length - 2 * places(f"{NOTE} ")) if marked else limits
        heard = translated(part, translation, wishes.joining) if translation else spoken(part.segments)
        pieces = write_out(with_marks(fitted(heard, room.line_length, end_ms), pins), wishes.numbers)
        said = lay_out(pieces if sung else list(names.before(pieces)), wishes.joining, room, end_ms)
        laid += [_as_song(one, wishes) for one in said] if sung else said
    laid += _labels(wishes.labels, wishes.music, limits, end_ms)
    laid = with_pins(laid, pins, speakers(transcript))
    fixed = {number for number, one in enumerate(laid) if one.fixed}
    cues = keep_to_shots(set_times(laid, limits, end_ms), wishes.changes_ms, limits, end_ms, fixed)
    return tuple(sorted(cues, key=lambda cue: cue.start_ms)) if fixed else cues


def _as_song(laid: Laid, wishes: Wishes) -> Laid:
    if laid.pin is not None:
        return laid
    if wishes.songs == "italic":
        return replace(laid, italic=True)
    if wishes.songs != "mark":
        return laid
    return replace(laid, lines=with_notes(laid.lines))


class _Names:
    """Names the speaker wherever it changes, in a transcript of several."""

    def __init__(self, transcript: Transcript, word: str | None, line_length: int) -> None:
        speakers = {segment.speaker for segment in transcript.segments}
        speakers |= {word.speaker for segment in transcript.segments for word in segment.words}
        self._word = word if len(speakers - {None}) > 1 else None
        self._line_length = line_length
        self._last: str | None = None

    def before(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """Yield the pieces, with a name in front of the first one of each speaker's."""
        for piece in pieces:
            if self._word is None or piece.speaker is None or piece.speaker == self._last:
                yield piece
                continue
            self._last = piece.speaker
            name = in_brackets(self._name(piece.speaker))
            together = f"{name} {piece.text}"
            if places(together) <= self._line_length:  # a line must not end between them
                yield replace(piece, text=together, joined=False)
                continue
            if places(name) <= self._line_length:
                yield replace(piece, text=name, end_ms=piece.start_ms + 1, joined=False)
            yield replace(piece, joined=False)

    def _name(self, speaker: str) -> str:
        number = speaker_number(speaker)
        return speaker if number is None else f"{self._word} {number + 1}"


def _labels(labels: Sequence[Label], music: str, limits: Limits, end_ms: int) -> Iterator[Laid]:
    """Yield a cue for each sound that fits into a line."""
    for label in labels:
        text = in_brackets(music if label.heard == "music" else label.text)
        if places(text) <= limits.line_length and label.start_ms < end_ms:
            stays = max(needed_ms(places(text), limits), _LABEL_MS)
            last = min(max(label.end_ms, label.start_ms + 1), label.start_ms + stays, end_ms)
            yield Laid((text,), label.start_ms, last, None)
