"""Find the names in a transcript: people, places and organisations, with the times at which they are spoken.

The names are also written as a proposal for a glossary, which the user can edit and use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from pydantic import Field

from shared.documents.base import Document, Frozen
from shared.documents.transcript import Segment, Transcript
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage
from shared.text.glossary import Glossary, Term

Kind = Literal["person", "place", "organisation", "other"]


class Mention(Frozen):
    """A place where a name is spoken; `segment` is the id of the transcript's segment."""

    segment: int
    start_ms: int
    end_ms: int


class Entity(Frozen):
    """A name in its most frequent spelling, and all its mentions. `confidence` is the highest of theirs."""

    name: str
    kind: Kind
    confidence: float
    mentions: tuple[Mention, ...]


class Entities(Document):
    """The names of a transcript, the most frequent ones first."""

    language: str
    entities: tuple[Entity, ...]


class EntitiesInputs(Files):
    """`transcript`: `shared.documents.transcript.Transcript`."""

    transcript: Path


class EntitiesParams(Params):
    """The names to find, and those to propose."""

    min_confidence: float = Field(0.8, ge=0, le=1, description="names with a lower score are left out")
    kinds: tuple[Kind, ...] = Field(("person", "place", "organisation"), description="the kinds of names to find")
    min_mentions: int = Field(1, ge=1, description="names with fewer mentions are not proposed for the glossary")


class EntitiesOutputs(Files):
    """`entities`: the names, as JSON; `glossary`: the proposed glossary as a table (`shared.text.glossary.Glossary`),
    in which each name is the same in every language."""

    entities: Path
    glossary: Path


EntitiesJob = Job[EntitiesInputs, EntitiesParams]


@dataclass(frozen=True)
class Span:
    """A name in a text: from the character at `start` to the one before `end`."""

    start: int
    end: int
    kind: Kind
    confidence: float


class Engine(Protocol):
    """A backend: it returns the names in each text, in order. `progress` takes the share that is done."""

    def find(self, texts: Sequence[str], progress: Callable[[float], None]) -> Sequence[Sequence[Span]]: ...


def run(engine: Engine, job: EntitiesJob) -> EntitiesOutputs:
    """Find the names, and write all mentions of each."""
    transcript = Transcript.read(job.inputs.transcript)
    texts = [segment.text for segment in transcript.segments]
    found = engine.find(texts, job.progress) if texts else []
    return _write(job, transcript, list(_entities(transcript.segments, found, job.params)))


def stub(job: EntitiesJob) -> EntitiesOutputs:
    """Write no names."""
    return _write(job, Transcript.read(job.inputs.transcript), [])


def time_of(segment: Segment, start: int, end: int) -> tuple[int, int]:
    """Return when a part of a segment's text is spoken, in ms: the time of its words, or a share of the segment's time
    if it has no words."""
    place, inside = 0, []
    for word in segment.words:
        at = segment.text.find(word.text, place)
        if at < 0:
            break
        place = at + len(word.text)
        if at < end and place > start:
            inside.append(word)
    if inside:
        return inside[0].start_ms, inside[-1].end_ms
    length_ms, length = segment.end_ms - segment.start_ms, max(len(segment.text), 1)
    return segment.start_ms + length_ms * start // length, segment.start_ms + length_ms * end // length


def _entities(segments: Sequence[Segment], found: Sequence[Sequence[Span]], params: EntitiesParams) -> Iterator[Entity]:
    """Yield an entity for each name and kind, the most frequent first. Letter case does not distinguish names."""
    by_name: dict[tuple[str, Kind], list[tuple[str, float, Mention]]] = {}
    for segment, spans in zip(segments, found, strict=True):
        for span in spans:
            name = _trimmed(segment.text[span.start : span.end])
            if name and span.confidence >= params.min_confidence and span.kind in params.kinds:
                start_ms, end_ms = time_of(segment, span.start, span.end)
                mention = Mention(segment=segment.id, start_ms=start_ms, end_ms=end_ms)
                by_name.setdefault((name.casefold(), span.kind), []).append((name, span.confidence, mention))
    for (_, kind), mentions in sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0])):
        names = [name for name, _, _ in mentions]
        yield Entity(
            name=max(sorted(set(names)), key=names.count),
            kind=kind,
            confidence=round(max(confidence for _, confidence, _ in mentions), 4),
            mentions=tuple(mention for _, _, mention in mentions),
        )


def _trimmed(name: str) -> str:
    """Return a name without the marks and the possessive that a model may include."""
    plain = " ".join(name.split()).strip("\"'“”‘’«».,;:!?()[]- ")
    return plain.removesuffix("'s").removesuffix("’s")


def _write(job: EntitiesJob, transcript: Transcript, entities: Sequence[Entity]) -> EntitiesOutputs:
    job.note("language", transcript.language)
    for kind in get_args(Kind):
        if count := sum(entity.kind == kind for entity in entities):
            job.note(f"{kind}s", count)
    document = Entities(language=transcript.language, entities=tuple(entities))
    terms: dict[str, Term] = {}
    for entity in entities:
        if len(entity.mentions) >= job.params.min_mentions:
            note = f"{entity.kind}, said {len(entity.mentions)} times, first in segment {entity.mentions[0].segment}"
            terms.setdefault(entity.name, Term(source=entity.name, note=note))
    path = job.out_dir / "glossary.tsv"
    write_atomically(path, Glossary(terms=tuple(terms.values())).as_text().encode())
    return EntitiesOutputs(entities=document.write(job.out_dir / "entities.json"), glossary=path)


STAGE = Stage(
    name="entities",
    version=2,
    summary="find the names in what was said, and propose a glossary",
    inputs=EntitiesInputs,
    params=EntitiesParams,
    outputs=EntitiesOutputs,
    backends={
        "wikineural": Backend(
            module="stages.entities.wikineural",
            environment="transformers",
            accelerators=("cuda", "mps"),
            card_library="torch",
            summary="a multilingual BERT, trained on WikiNEuRal: English, German, Spanish, French, Italian, Dutch, "
            "Polish, Portuguese, Russian",
            models=("names",),
            licence_note="the data it was trained on are known as CC-BY-NC-SA-4.0",
            resources=Resources(cpus=2, memory_gib=2.5, gpu_memory_gib=2.0, time_per_media_s=4.0),
        ),
    },
    run=run,
    stub=stub,
)
