"""Shorten the segments that are spoken too fast to be read, by rules or by a language model.

The input includes cues that were laid out from the complete text. The excess of a cue over what can be read in its time
is divided among the segments that it was made from; each should lose its share. The ids, times and number of segments
stay. A segment that gets no acceptable shorter text stays as it was, and the check of the subtitles reports it.
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
from shared.text.language_params import entry_for
from shared.text.text_width import places, places_of_lines


class CondenseInputs(Files):
    """`transcript`; `translation`: condensed instead of it; `cues`: `shared.documents.cue.CueSheet`, made from that
    text; `glossary`: `shared.text.glossary.Glossary`, the terms that must stay."""

    transcript: Path
    cues: Path
    translation: Path | None = None
    glossary: Path | None = None


class CondenseParams(LanguageModelParams, ReadingParams, JoiningParams):
    """The reading speed, how much of a text must stay, and the word lists of the rules."""

    context: int = Field(0, ge=0, le=100, description="other texts to shorten, before and after, that it is shown too")
    keep: float = Field(
        0.5, ge=0, le=1, description="the part of a segment's content words that must stay, and of the new ones be old"
    )
    asides: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: phrases that say nothing; the rules leave them out if marks separate them"
    )
    silent_subjects: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: subject pronouns that the verb shows as well; the rules leave them out"
    )
    negation_words: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: words that turn a sentence round, so that none may come or go"
    )


class CondenseOutputs(Files):
    """`transcript` or `translation`, the text from which the cues were made; neither if every cue can be read."""

    transcript: Path | None = None
    translation: Path | None = None


CondenseJob = Job[CondenseInputs, CondenseParams]


@dataclass(frozen=True)
class Work:
    """The text to shorten: the translation if there is one, else the transcript.

    `most` has the number of places for each segment that is too long, by id. No word of `negations` may appear or
    vanish, and `terms` stay unchanged.
    """

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
        """Return the joining words of this language."""
        return self.params.joining_words_in(self.language)


@dataclass(frozen=True)
class Condensed:
    """The result of a backend. `provisional` says why another run may give a better one; it is empty if none may."""

    transcript: Transcript
    translation: Translation | None
    warnings: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    provisional: str = ""


class Engine(Protocol):
    """A backend."""

    def condense(self, work: Work) -> Condensed: ...


def run(engine: Engine, job: CondenseJob) -> CondenseOutputs:
    """Find the segments that are too long, and write the text with shorter ones."""
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
    negations = entry_for(params.negation_words, sheet.language, ())
    condensed = engine.condense(Work(transcript, translation, most, negations, terms, params, job.progress))
    after = _texts(condensed.transcript, condensed.translation)
    assert before.keys() == after.keys(), "a backend changed the segments"
    assert all(before[number] == after[number] for number in before if number not in most), (
        "a backend changed what can be read"
    )
    job.note("shortened", sum(before[number] != after[number] for number in most))
    condensed.usage.note(job.note, params)
    for warning in condensed.warnings:
        job.warn(warning)
    if condensed.provisional:
        job.mark_provisional(condensed.provisional)
    return _write(job, condensed.transcript, condensed.translation)


def stub(job: CondenseJob) -> CondenseOutputs:
    """Write nothing, as if every cue could be read in time."""
    return CondenseOutputs()


def too_long(
    cues: Sequence[Cue], segments: Sequence[Segment], texts: Mapping[int, str], speed: float, keep: float
) -> dict[int, int]:
    """Return the number of places that each segment of a cue that is too fast should have, by id.

    `segments` must be in order of time. `speed` is in places a second. The part `keep` of a text must stay, so no
    number is lower than that.
    """
    excess: dict[int, float] = {}
    starts = [segment.start_ms for segment in segments]
    ends = [*accumulate((segment.end_ms for segment in segments), max)]  # the latest end so far: segments may overlap
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
    """Return the terms as the text has them: of a translation, their renderings."""
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
