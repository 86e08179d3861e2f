"""Make cues from a transcript: lay out words, songs, speakers' names and sounds, each by its own rule, then time them.

As in the Netflix guides, a song's cue begins and ends with a note, and sounds and speakers' names are in brackets. A
sound has a cue of its own; a name is shown where the speaker changes.
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
from stages.subtitle.pinned import mark_pinned, replace_pinned
from stages.subtitle.shot_changes import keep_to_shots
from stages.subtitle.speakers import speakers
from stages.subtitle.spoken_times import time_translation
from stages.subtitle.stage import LayoutOptions
from stages.subtitle.times import LaidOutCue, needed_ms, set_times
from stages.toolkit.cues.marks import NOTE, in_brackets, with_notes
from stages.toolkit.cues.words import Piece, fit_pieces, pieces_of

_LABEL_MS = 2_000  # a sound's label is shown for so long, however long the sound lasts


def make_cues(
    transcript: Transcript,
    translation: Translation | None,
    limits: Limits,
    options: LayoutOptions,
    pins: Sequence[Pin] = (),
) -> tuple[Cue, ...]:
    """Return the timed cues of a transcript or its translation, with the cues of the pins in their places."""
    end_ms = transcript.duration_ms
    names = _Names(transcript, options.speaker, limits.line_length)
    laid_out: list[LaidOutCue] = []
    for sung, segments in groupby(transcript.segments, key=lambda segment: segment.sung):
        part = transcript.model_copy(update={"segments": tuple(segments)})
        if sung and options.songs == "skip":
            continue
        marked = sung and options.songs == "mark"
        room = replace(limits, line_length=limits.line_length - 2 * places(f"{NOTE} ")) if marked else limits
        words = time_translation(part, translation, options.joining) if translation else pieces_of(part.segments)
        pieces = write_out(mark_pinned(fit_pieces(words, room.line_length, end_ms), pins), options.numbers)
        cues = lay_out(pieces if sung else list(names.before(pieces)), options.joining, room, end_ms)
        laid_out += [_as_song(cue, options) for cue in cues] if sung else cues
    laid_out += _labels(options.labels, options.music, limits, end_ms)
    laid_out = replace_pinned(laid_out, pins, speakers(transcript))
    fixed = {number for number, cue in enumerate(laid_out) if cue.fixed}
    timed = keep_to_shots(set_times(laid_out, limits, end_ms), options.changes_ms, limits, end_ms, fixed)
    return tuple(sorted(timed, key=lambda cue: cue.start_ms)) if fixed else timed


def _as_song(cue: LaidOutCue, options: LayoutOptions) -> LaidOutCue:
    """Return a cue in the look of a song. The cue of a pin keeps its own."""
    if cue.pin is not None:
        return cue
    if options.songs == "italic":
        return replace(cue, italic=True)
    if options.songs != "mark":
        return cue
    return replace(cue, lines=with_notes(cue.lines))


class _Names:
    """Adds the speaker's name where the speaker changes, if the transcript has several speakers. `word` is the word for
    a speaker without a name, None for no names at all."""

    def __init__(self, transcript: Transcript, word: str | None, line_length: int) -> None:
        speakers = {segment.speaker for segment in transcript.segments}
        speakers |= {word.speaker for segment in transcript.segments for word in segment.words}
        self._word = word if len(speakers - {None}) > 1 else None
        self._line_length = line_length
        self._last: str | None = None

    def before(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """Yield the pieces, with the name before the first piece after each change of speaker."""
        for piece in pieces:
            if self._word is None or piece.speaker is None or piece.speaker == self._last:
                yield piece
                continue
            self._last = piece.speaker
            name = in_brackets(self._name(piece.speaker))
            together = f"{name} {piece.text}"
            if places(together) <= self._line_length:  # as one piece, so that no line ends between them
                yield replace(piece, text=together, joined=False)
                continue
            if places(name) <= self._line_length:
                yield replace(piece, text=name, end_ms=piece.start_ms + 1, joined=False)
            yield replace(piece, joined=False)

    def _name(self, speaker: str) -> str:
        number = speaker_number(speaker)
        return speaker if number is None else f"{self._word} {number + 1}"


def _labels(labels: Sequence[Label], music: str, limits: Limits, end_ms: int) -> Iterator[LaidOutCue]:
    """Yield a cue for each sound that fits into a line."""
    for label in labels:
        text = in_brackets(music if label.heard == "music" else label.text)
        if places(text) <= limits.line_length and label.start_ms < end_ms:
            length_ms = max(needed_ms(places(text), limits), _LABEL_MS)
            last = min(max(label.end_ms, label.start_ms + 1), label.start_ms + length_ms, end_ms)
            yield LaidOutCue((text,), label.start_ms, last, None)
