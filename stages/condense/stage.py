"""Shorten what is said too fast to be read, by rules or by a language model: those segments, and no other.

What is too fast shows in the cues themselves, as they were laid out from the whole text. What a cue holds beyond what
can be read in its time is counted against the segments that it was made from; each is to lose its share. Ids, times
and count stay. A segment for which no new text is taken stays as it was, and the check of the subtitles tells of it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.cue import Cue, CueSheet
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import Translation
from shared.language_model import LANGUAGE_MODEL_PARAMS, LanguageModelParams, Usage, language_model_backends
from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Resources, Stage
from shared.text.glossary import Glossary, Term, glossary_of
from shared.text.guide_limits import ReadingParams
from shared.text.joining_words import JoiningParams, JoiningWords
from shared.text.language_params import of_language
from shared.text.text_width import places, places_of_lines


class CondenseInputs(Files):
    """`transcript`; `translation` of it, to condense instead; `cues`: `shared.documents.cue.CueSheet`, made from that
    text; `glossary`: `shared.text.glossary.Glossary`, the terms that must stay."""

    transcript: Path
    cues: Path
    translation: Path | None = None
    glossary: Path | None = None


class CondenseParams(LanguageModelParams, ReadingParams, JoiningParams):
    """The reading speed, and how much of a text has to stay."""

    context: int = Field(0, ge=0, le=100, description="other texts to shorten, before and after, that it is shown too")
    keep: float = Field(
        0.5, ge=0, le=1, description="the part of a segment's content words that must stay, and of the new ones be old"
    )
    asides: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: phrases that say nothing; the rules leave them out where marks part them off"
    )
    silent_subjects: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: subject pronouns that the verb shows as well; the rules leave them out"
    )
    negation_words: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: words that turn a sentence round, so that none may come or go"
    )


class CondenseOutputs(Files):
    """`transcript` or `translation`, whichever the cues were made from; neither where every cue can be read."""

    transcript: Path | None = None
    translation: Path | None = None


CondenseJob = Job[CondenseInputs, CondenseParams]


@dataclass(frozen=True)
class Work:
    """The text to shorten: the translation where there is one. `most` maps the id of each segment that is too long to
    the number of places that it may take; `negations` may neither appear nor vanish, and `terms` stay unchanged."""

    transcript: Transcript
    translation: Translation | None
    most: Mapping[int, int]
    negations: Sequence[str]
    terms: Glossary
    params: CondenseParams
    progress: Callable[[float], None]

    @property
    def texts(self) -> dict[int, str]:
        """Return the text of each segment, by id."""
        return _texts(self.transcript, self.translation)

    @property
    def language(self) -> str:
        """Return the language of the text to shorten."""
        return self.translation.target if self.translation else self.transcript.language

    @property
    def joining(self) -> JoiningWords:
        """Return the words that hold a text in this language together."""
        return self.params.joining_words_in(self.language)


@dataclass(frozen=True)
class Condensed:
    """The result of a backend; `provisional` says why it may be better another time."""

    transcript: Transcript
    translation: Translation | None
    warnings: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    provisional: str = ""


class Engine(Protocol):
    """A backend."""

    def condense(self, work: Work) -> Condensed: ...


def run(engine: Engine, job: CondenseJob) -> CondenseOutputs:
    """Find what is too long, have it shortened, and see that the backend has kept to the segments."""
    transcript = Transcript.read(job.inputs.transcript)
    translation = Translation.read(job.inputs.translation) if job.inputs.translation else None
    sheet, params = CueSheet.read(job.inputs.cues), job.params
    before = _texts(transcript, translation)
    spoken = [segment for segment in transcript.segments if before.get(segment.id, "").strip() and not segment.sung]
    most = too_long(sheet.cues, spoken, before, params.reading_speed_in(sheet.language), params.keep)
    job.note("language", sheet.language)
    job.note("too_fast", len(most))
    if not most:
        return CondenseOutputs()
    terms = _terms(glossary_of(job.inputs.glossary), translation)
    negations = of_language(params.negation_words, sheet.language, ())
    done = engine.condense(Work(transcript, translation, most, negations, terms, params, job.progress))
    after = _texts(done.transcript, done.translation)
    assert before.keys() == after.keys(), "a backend changed the segments"
    assert all(before[number] == after[number] for number in before if number not in most), (
        "a backend changed what can be read"
    )
    job.note("shortened", sum(before[number] != after[number] for number in most))
    done.usage.note(job.note, params)
    for warning in done.warnings:
        job.warn(warning)
    if done.provisional:
        job.mark_provisional(done.provisional)
    return _write(job, done.transcript, done.translation)


def stub(job: CondenseJob) -> CondenseOutputs:
    """Return no changes, as if every cue could be read in time."""
    return CondenseOutputs()


def too_long(
    cues: Sequence[Cue], segments: Sequence[Segment], texts: Mapping[int, str], speed: float, keep: float
) -> dict[int, int]:
    """Return the segments that make cues too fast, by id, with the number of places that each should take.

    `segments` are in order of time. The part `keep` of a text has to stay, so no request asks for less.
    """
    excess: dict[int, float] = {}
    starts = [segment.start_ms for segment in segments]
    ends = [*accumulate((segment.end_ms for segment in segments), max)]  # the latest so far, in order though they lap
    for cue in cues:
        over = places_of_lines(cue.lines) - int((cue.end_ms - cue.start_ms) * speed / 1000)
        if over <= 0 or cue.spoken is None:
            continue
        spoken = cue.spoken
        first, last = bisect_left(ends, spoken.start_ms + 1), bisect_left(starts, spoken.end_ms)
        shares = {
            segment.id: share
            for segment in segments[first:last]
            if (share := min(segment.end_ms, spoken.end_ms) - max(segment.start_ms, spoken.start_ms)) > 0
        }
        for number, share in shares.items():
            excess[number] = excess.get(number, 0.0) + over * share / sum(shares.values())
    widths = {number: places(texts[number]) for number in excess}
    return {
        number: max(math.floor(widths[number] - over), math.ceil(widths[number] * keep))
        for number, over in sorted(excess.items())
    }


def _terms(glossary: Glossary, translation: Translation | None) -> Glossary:
    """Return the terms as they stand in the text."""
    if translation is None:
        return glossary
    written = {term.rendering(translation.target): term for term in glossary.terms}
    return Glossary(terms=tuple(Term(source=text, match=term.match) for text, term in written.items() if text))


def _texts(transcript: Transcript, translation: Translation | None) -> dict[int, str]:
    return {segment.id: segment.text for segment in (translation or transcript).segments}


def _write(job: CondenseJob, transcript: Transcript, translation: Translation | None) -> CondenseOutputs:
    if translation:
        return CondenseOutputs(translation=translation.write(job.out_dir / "translation.json"))
    return CondenseOutputs(transcript=transcript.write(job.out_dir / "transcript.json"))


STAGE = Stage(
    name="condense",
    version=4,
    summary="shorten text that is spoken too fast to be read",
    inputs=CondenseInputs,
    params=CondenseParams,
    outputs=CondenseOutputs,
    backends={
        "rules": Backend(
            module="stages.condense.rules",
            environment=CORE_ENVIRONMENT,
            summary="leaves out asides and subject pronouns by the lists of the language",
            resources=Resources(cpus=1, memory_gib=0.5),
            neutral_params=LANGUAGE_MODEL_PARAMS,
        ),
        **language_model_backends("condense", "asides", "silent_subjects"),
    },
    run=run,
    stub=stub,
)
