"""Gathers the facts of one job for its report: its record, the manifests of its results, and the documents in them.

All facts come from the record and the store, so that the same job always gives the same report. Outputs that are no
longer stored are named and left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import LockedModel
from pipeline.publishing.doubts import Doubt, Subtitles, find_doubts
from pipeline.publishing.record import Job
from pipeline.publishing.run_report.sound_outline import sound_outline
from pipeline.store.results import ResultStore, StoredFile, StoredResult
from shared.documents.base import Document, DocumentError
from shared.documents.cue import CueSheet
from shared.documents.diarization import Diarization
from shared.documents.media import Media
from shared.documents.pins import Pin, Pins
from shared.documents.quality_report import QualityReport
from shared.documents.removals import Removal, Removals
from shared.documents.shots import Shots
from shared.documents.speech import SpeechRegions
from shared.documents.transcript import Transcript
from shared.files import is_intact
from shared.text.glossary import Glossary

D = TypeVar("D", bound=Document)
Stretch = tuple[int, int]
_SUBTITLE_TEXTS = frozenset({"condense"})  # stages whose transcript is only for subtitles
_SHOWN_PAUSE_MS = 1_000  # of a speaker; a shorter one is not visible in a small picture


@dataclass(frozen=True)
class Materials:
    """Store with the results, and models with their licences and lock entries."""

    store: ResultStore
    cache: ModelCache

    def results_of(self, job: Job) -> dict[str, StoredResult]:
        """Return the manifests of those results of a job that are still stored, by step."""
        found = {step: self.store.manifest(str(record.get("key"))) for step, record in job.steps.items()}
        return {step: result for step, result in found.items() if result}

    def locked_entry(self, model: str, digest: object) -> LockedModel | None:
        """Return the lock entry of a model; None if the lock now has another one than that with this digest."""
        locked = self.cache.locked.get(model)
        return locked if locked and model in self.cache.models and self.cache.digest(model) == digest else None


def file_name(path: str) -> str:
    """Return the last part of a path, which may come from another operating system."""
    return path.replace("\\", "/").rpartition("/")[2]


class JobFacts:
    """Facts of one job. `states` maps each step of a run to what the run did with it: done, reused or failed."""

    def __init__(
        self,
        job: Job,
        results: Mapping[str, StoredResult],
        materials: Materials,
        states: Mapping[str, str] | None = None,
    ) -> None:
        self.job, self.materials, self.states = job, materials, states or {}
        self.results = {step: results[step] for step in job.steps if step in results}
        self.lost: list[str] = []  # outputs that are no longer stored, as `step.role`

    def stage(self, step: str) -> str:
        """Return the stage of a step."""
        result = self.results.get(step)
        return str(result.ingredients["stage"]) if result else step.partition(":")[0]

    @cached_property
    def media(self) -> Media | None:
        """Return the description of the media file; None if it is no longer stored."""
        return next(self._documents("demux", "media", Media), None)

    @cached_property
    def outline(self) -> list[tuple[int, int]]:
        """Return the outline of the transcribed sound; empty if the sound is no longer stored."""
        path = next(self._paths("demux", "speech"), None)
        return sound_outline(path) if path else []

    @cached_property
    def transcript(self) -> Transcript | None:
        """Return the transcript after all steps that change it; None if there is none in the store."""
        for step in reversed(self.results):
            if "transcript" in self.results[step].outputs and self.stage(step) not in _SUBTITLE_TEXTS:
                return self._read(step, "transcript", Transcript)
        return None

    @cached_property
    def speech(self) -> list[Stretch]:
        """Return the speech regions that were recognised."""
        documents = list(self._documents("vad", "speech", SpeechRegions))
        return [(region.start_ms, region.end_ms) for region in documents[-1].regions] if documents else []

    @cached_property
    def speakers(self) -> dict[str, list[Stretch]]:
        """Return the stretches of each speaker: by the transcript, which has corrected names, else by the turns."""
        spoken: list[tuple[str, int, int]] = []
        if self.transcript:
            words = [word for segment in self.transcript.segments for word in segment.words]
            spoken = [(word.speaker, word.start_ms, word.end_ms) for word in words if word.speaker]
        if not spoken:
            turns = next(self._documents("diarize", "turns", Diarization), None)
            spoken = [(turn.speaker, turn.start_ms, turn.end_ms) for turn in turns.turns] if turns else []
        found: dict[str, list[Stretch]] = {}
        for speaker, start_ms, end_ms in spoken:
            parts = found.setdefault(speaker, [])
            if parts and start_ms - parts[-1][1] < _SHOWN_PAUSE_MS:
                parts[-1] = parts[-1][0], max(end_ms, parts[-1][1])
            else:
                parts.append((start_ms, end_ms))
        return found

    @cached_property
    def shots(self) -> tuple[int, ...]:
        """Return the times of the shot changes, in ms."""
        shots = next(self._documents("shots", "shots", Shots), None)
        return shots.changes_ms if shots else ()

    @cached_property
    def removals(self) -> tuple[Removal, ...]:
        """Return the removed text."""
        removed = next(self._documents("clean", "removed", Removals), None)
        return removed.removals if removed else ()

    @cached_property
    def subtitles(self) -> tuple[Subtitles, ...]:
        """Return the subtitles of each language that were written to files, with the report on them."""
        found = []
        for step, result in self.results.items():
            if self.stage(step) not in {"subtitle", "check"} or result.outputs.get("files", True) == ():
                continue
            sheet = self._read(step, "cues", CueSheet)
            if sheet:
                found.append(Subtitles(sheet, self._read(step, "report", QualityReport)))
        return tuple(found)

    @cached_property
    def pins(self) -> tuple[Pin, ...]:
        """Return the corrections in all texts, in order of time."""
        found = [pin for document in self._documents("correct", "pins", Pins) for pin in document.pins]
        return tuple(sorted(found, key=lambda pin: [cue.start_ms for cue in (*pin.cues, *pin.before)][:1]))

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """Return the doubts without those about cues over a limit, which have a section of their own."""
        found = find_doubts(self.transcript, self.subtitles, self.removals, self._glossary())
        return tuple(doubt for doubt in found if doubt.kind != "limit")

    @property
    def length_ms(self) -> int:
        """Return the length of the sound; 0 if it is not known."""
        return self.media.decoded_ms if self.media else self.transcript.duration_ms if self.transcript else 0

    @property
    def seconds(self) -> float:
        """Return the working time of all results, including those of earlier runs."""
        counted = {result.key: result.seconds for result in self.results.values()}
        return sum(counted.values())

    def _glossary(self) -> Glossary | None:
        for result in self.results.values():
            inputs = result.ingredients.get("inputs")
            digest = inputs.get("glossary") if isinstance(inputs, dict) else None
            if isinstance(digest, str):
                try:
                    return Glossary.read(self.materials.store.object_path(digest))
                except (DocumentError, OSError):
                    return None
        return None

    def _documents(self, stage: str, role: str, kind: type[D]) -> Iterator[D]:
        for step in self.results:
            if self.stage(step) == stage and (document := self._read(step, role, kind)):
                yield document

    def _paths(self, stage: str, role: str) -> Iterator[Path]:
        for step, result in self.results.items():
            output = result.outputs.get(role)
            if self.stage(step) == stage and isinstance(output, StoredFile):
                path = self.materials.store.path(output)
                if path.is_file():
                    yield path
                else:
                    self._note_lost(f"{step}.{role}")

    def _read(self, step: str, role: str, kind: type[D]) -> D | None:
        output = self.results[step].outputs.get(role)
        if not isinstance(output, StoredFile):
            return None
        path = self.materials.store.path(output)
        with contextlib.suppress(DocumentError, OSError):
            if is_intact(path, output.sha256):
                return kind.read(path)
        self._note_lost(f"{step}.{role}")
        return None

    def _note_lost(self, output: str) -> None:
        if output not in self.lost:
            self.lost.append(output)
