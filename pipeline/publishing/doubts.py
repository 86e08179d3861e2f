"""Finds the stretches of a transcript and its subtitles that are worth listening to again, the best first. Pure.

A doubt is a stretch and not a word: one unsure word among sure ones is mostly right, and a text full of marks is as
much work as listening to all of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from shared.documents.base import Frozen
from shared.documents.cue import Cue, CueSheet
from shared.documents.quality_report import UNSURE_TRANSLATION, QualityReport
from shared.documents.removals import Reason, Removal
from shared.documents.transcript import Transcript, Word
from shared.text.glossary import Glossary
from shared.text.sentence_end import CLOSERS, OPENERS, SENTENCE_ENDS, ends_sentence

DoubtKind = Literal["unsure", "name", "number", "speakers", "limit", "removed"]
"""Kinds of doubts: unsure words in a row, or a cue of an unsure translation; an unsure name or number that the glossary
lacks; a cue in which another speaker begins; a cue over a limit of the guide; removed text."""

# Of the 132 words of the demo, all of them right, Whisper base gives 1 less than 0.5 and 4 less than 0.8. Under pink
# noise it gives 25 less than 0.5; they make 6 doubts, and at 5 of these places it wrote something else than was said.
_UNSURE = 0.5
_LEAST_EXPECTED_ERRORS = 0.85  # expected wrong words in a run: two at 0.45 are enough, or one at 0.15
_UNSURE_NAME = 0.8
_REMOVED_GAIN, _MOST_REMOVED_GAIN = 0.2, 1.0  # for each word: most removed words were not said
_LIMIT_GAIN, _SPEAKERS_GAIN = 0.6, 0.9  # in words, so that kinds can be compared
_TRANSLATION_GAIN = 0.78  # for each word: of 9 segments that Whisper base was unsure of, it translated 7 wrongly
_BRIDGED_MS = 1_000  # a longer pause ends a run
_BY_CHOICE: frozenset[Reason] = frozenset({"filler", "description"})
_AROUND = "".join(SENTENCE_ENDS) + ",;:" + OPENERS + CLOSERS  # characters around a word
_NO_NAME_AFTER = (":", "\u266a", *"-\u2013\u2014")  # a capital after a note or a dash shows no name
_MOST_LISTED_TIMES = 20


class Doubt(Frozen):
    """Stretch to listen to. `gain` is the number of words that a listener is expected to correct there.

    `why` is a sentence for the user. If it is about a cue, `number` is that of the cue, from 1, and `language` that of
    its subtitles. `times_ms` are all times at which a name or a number is said.
    """

    kind: DoubtKind
    start_ms: int
    end_ms: int
    text: str
    why: str
    gain: float
    number: int | None = None
    language: str | None = None
    times_ms: tuple[int, ...] = ()


@dataclass(frozen=True)
class Subtitles:
    """Cues in one language, with the report on them."""

    sheet: CueSheet
    report: QualityReport | None = None


def find_doubts(
    transcript: Transcript | None,
    subtitles: Sequence[Subtitles] = (),
    removals: Iterable[Removal] = (),
    glossary: Glossary | None = None,
) -> tuple[Doubt, ...]:
    """Return all doubts, those with the greatest gain first, and those of equal gain in order of time.

    All arguments belong to the same media file. Cues are numbered in order of time, as in `QualityReport`.
    """
    found: list[Doubt] = []
    if transcript is not None:
        words = [word for segment in transcript.segments for word in segment.words]
        found += _names(transcript, glossary)
        named = {time for doubt in found for time in doubt.times_ms}
        found += _unsure(words, named)
        found += [doubt for made in subtitles for doubt in _speaker_changes(made.sheet, words)]
    found += [doubt for made in subtitles for doubt in (*_over_limits(made), *_unsure_translations(made))]
    found += [_removed(removal) for removal in removals if removal.reason not in _BY_CHOICE]
    return tuple(sorted(found, key=lambda doubt: (-doubt.gain, doubt.start_ms, doubt.kind, doubt.text)))


def _text(words: Iterable[Word]) -> str:
    return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()


def _unsure(words: Sequence[Word], named: set[int]) -> Iterator[Doubt]:
    """Yield a doubt for each run of unsure words, which may contain a single surer one. Names have their own doubts."""
    run: list[Word] = []
    for word in words:
        if run and word.start_ms - run[-1].end_ms > _BRIDGED_MS:
            yield from _unsure_run(run, named)
            run = []
        if word.probability < _UNSURE or (run and run[-1].probability < _UNSURE):
            run.append(word)
        else:
            yield from _unsure_run(run, named)
            run = []
    yield from _unsure_run(run, named)


def _unsure_run(run: Sequence[Word], named: set[int]) -> Iterator[Doubt]:
    """Yield a doubt for the run, if enough of its words are expected to be wrong."""
    run = run[:-1] if run and run[-1].probability >= _UNSURE else run  # a surer word at the end is not part of it
    gain = sum(1 - word.probability for word in run)
    if gain < _LEAST_EXPECTED_ERRORS or (len(run) == 1 and run[0].start_ms in named):
        return
    least = min(word.probability for word in run)
    many = f"of {len(run)} words" if len(run) > 1 else "of this word"
    yield Doubt(
        kind="unsure", start_ms=run[0].start_ms, end_ms=run[-1].end_ms, text=_text(run), gain=round(gain, 3),
        why=f"the recogniser is unsure {many}: probability {least:.2f}{' and more' if len(run) > 1 else ''}",
    )  # fmt: skip


def _names(transcript: Transcript, glossary: Glossary | None) -> Iterator[Doubt]:
    """Yield a doubt for each name and number of which the recogniser is unsure at some place, with all of its times.
    Those in the glossary are not doubtful."""
    known = {part.casefold() for term in glossary.terms for part in term.source.split()} if glossary else set()
    lacking = ", which the glossary does not have" if glossary else ""
    places: dict[tuple[DoubtKind, str], list[Word]] = {}
    for segment in transcript.segments:
        begins = True
        for word in segment.words:
            bare = word.text.strip(_AROUND)
            kind = _kind_of(bare, begins=begins)
            begins = ends_sentence(word.text) or word.text.endswith(_NO_NAME_AFTER)
            if kind and bare.casefold() not in known:
                places.setdefault((kind, bare), []).append(word)
    for (kind, bare), words in places.items():
        least = min(words, key=lambda word: word.probability)
        if least.probability >= _UNSURE_NAME:
            continue
        times = f", said {len(words)} times" if len(words) > 1 else ""
        yield Doubt(
            kind=kind, start_ms=least.start_ms, end_ms=least.end_ms, text=bare,
            gain=round(sum(1 - word.probability for word in words), 3),
            why=f"the recogniser is unsure of this {kind}{lacking}: probability {least.probability:.2f}{times}",
            times_ms=tuple(word.start_ms for word in words[:_MOST_LISTED_TIMES]),
        )  # fmt: skip


def _kind_of(bare: str, *, begins: bool) -> DoubtKind | None:
    """Return the kind of a word: a number, or a name, which begins with a capital inside a sentence; else None.

    `I`, `OK` and the first word of a sentence are not names. In a script without capitals, no names are found.
    """
    if any(character.isdigit() for character in bare):
        return "number"
    if begins or len(bare) < 2 or not bare[0].isupper() or bare.isupper() or bare.startswith(("I'", "I’")):
        return None
    return "name"


def _speaker_changes(sheet: CueSheet, words: Sequence[Word]) -> Iterator[Doubt]:
    """Yield a doubt for each cue in which a second speaker begins without dashes that show it."""
    starts = [word.start_ms for word in words]
    for number, cue in enumerate(_in_order(sheet), start=1):
        if cue.spoken is None or sum(line.lstrip().startswith(("-", "–", "‐")) for line in cue.lines) > 1:
            continue
        first = bisect_left(starts, cue.spoken.start_ms)
        spoken = [word for word in words[first : bisect_left(starts, cue.spoken.end_ms)] if word.speaker]
        changes = [later for before, later in pairwise(spoken) if later.speaker != before.speaker]
        if changes:
            names = list(dict.fromkeys(word.speaker or "" for word in spoken))
            yield Doubt(
                kind="speakers", start_ms=cue.start_ms, end_ms=cue.end_ms, text=" / ".join(cue.lines),
                why=f"{' and '.join(names)} share this cue; the second begins at `{changes[0].text}`",
                gain=_SPEAKERS_GAIN, number=number, language=sheet.language,
            )  # fmt: skip


def _over_limits(subtitles: Subtitles) -> Iterator[Doubt]:
    """Yield a doubt for each cue over a limit, one for each rule."""
    cues = _in_order(subtitles.sheet)
    for broken in subtitles.report.broken if subtitles.report else ():
        if broken.severity != "error":
            continue
        for offender in broken.worst:
            cue = cues[offender.number - 1] if offender.number <= len(cues) else None
            reason = f"; {offender.reason}" if offender.reason else ""
            yield Doubt(
                kind="limit", start_ms=offender.start_ms, end_ms=cue.end_ms if cue else offender.start_ms + 1,
                text=" / ".join(cue.lines) if cue else offender.text,
                why=f"{offender.found:g} {broken.meaning}, the limit is {broken.limit:g}{reason}",
                gain=_LIMIT_GAIN, number=offender.number, language=subtitles.sheet.language,
            )  # fmt: skip


def _unsure_translations(subtitles: Subtitles) -> Iterator[Doubt]:
    """Yield a doubt for each cue of whose translation the model is unsure."""
    cues = _in_order(subtitles.sheet)
    for broken in subtitles.report.broken if subtitles.report else ():
        for offender in broken.worst if broken.rule == UNSURE_TRANSLATION else ():
            cue = cues[offender.number - 1]
            yield Doubt(
                kind="unsure", start_ms=cue.start_ms, end_ms=cue.end_ms, text=" / ".join(cue.lines),
                why="the translator itself is unsure of this text",
                gain=round(_TRANSLATION_GAIN * len(" ".join(cue.lines).split()), 3),
                number=offender.number, language=subtitles.sheet.language,
            )  # fmt: skip


def _removed(removal: Removal) -> Doubt:
    count = max(len(removal.text.split()), 1)
    return Doubt(
        kind="removed", start_ms=removal.start_ms, end_ms=removal.end_ms, text=removal.text,
        why=f"taken out as not said ({removal.reason})", gain=round(min(count * _REMOVED_GAIN, _MOST_REMOVED_GAIN), 3),
    )  # fmt: skip


def _in_order(sheet: CueSheet) -> list[Cue]:
    return sorted(sheet.cues, key=lambda cue: (cue.start_ms, cue.end_ms))
