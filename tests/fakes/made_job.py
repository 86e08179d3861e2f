"""A published job whose results were never computed: documents that a test writes, in a real store."""

from __future__ import annotations

import hashlib
import io
import math
import struct
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import LockedFile, LockedModel, Model
from pipeline.publishing.record import JOB, Job
from pipeline.publishing.run_report.job_facts import Materials
from pipeline.store.results import ResultStore, StoredFile, StoredResult
from shared.documents.base import Document
from shared.documents.cue import Cue, CueSheet
from shared.documents.diarization import Diarization, Turn
from shared.documents.media import Media, Track
from shared.documents.quality_report import Broken, Offender, QualityReport
from shared.documents.removals import Removal, Removals
from shared.documents.shots import Shots
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Segment, Transcript, Word

MODEL = "speech-model"
REVISION = "c0ffee" * 6 + "c0ff"


@dataclass
class MadeJob:
    """A store, and a job of which steps are added one by one."""

    root: Path
    media: str = "/films/film.mp4"
    store: ResultStore = field(init=False)
    cache: ModelCache = field(init=False)
    steps: dict[str, dict[str, JsonValue]] = field(default_factory=dict)
    results: dict[str, StoredResult] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    edits: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = ResultStore(self.root / "results")
        locked = LockedModel(repo="lab/speech", revision=REVISION, files={"w": LockedFile(size=1, sha256="0" * 64)})
        model = Model(summary="a model", licence="CC-BY-NC-4.0", commercial_use=False, sources=())
        self.cache = ModelCache(self.root / "cache", {MODEL: model}, {MODEL: locked}, "https://hub.example")

    @property
    def materials(self) -> Materials:
        return Materials(self.store, self.cache)

    @property
    def folder(self) -> Path:
        return self.root / "out" / "film"

    @property
    def job(self) -> Job:
        used = any(record["models"] for record in self.steps.values())
        return Job(
            media=self.media, media_sha256="a" * 64, recipe="subtitle", profile="starter", plan="b" * 64,
            files=self.files, origins=self.origins, missing=self.missing, edits=self.edits, steps=self.steps,
            licences={MODEL: "CC-BY-NC-4.0"} if used else {},
        )  # fmt: skip

    def content(self, name: str, content: bytes) -> StoredFile:
        place = self.store.make_staging("made") / name
        place.write_bytes(content)
        return self.store.take_in(place)

    def add(
        self, step: str, stage: str, outputs: Mapping[str, Document | bytes | None], *,
        warnings: Sequence[str] = (), facts: Mapping[str, JsonValue] | None = None, model: str = "",
        params: Mapping[str, JsonValue] | None = None,
    ) -> None:  # fmt: skip
        """Add a step with its results."""
        stored = {role: self._stored(role, output) for role, output in outputs.items()}
        digest = self.cache.digest(model) if model else ""
        key = hashlib.sha256(step.encode()).hexdigest()
        result = StoredResult(
            key=key,
            ingredients={
                "format": 1, "stage": stage, "version": 3, "backend": "a-library", "environment": "e" * 64,
                "models": {"model": digest} if model else {}, "tools": {"ffmpeg": "7.1"}, "params": dict(params or {}),
                "inputs": {}, "device": "cpu",
            },
            outputs=stored, facts=dict(facts or {}), warnings=tuple(warnings), seconds=1.5, cpu_s=1.0, memory_mb=100.0,
        )  # fmt: skip
        self.store.write_manifest(result)
        self.results[step] = result
        self.steps[step] = {
            "key": key, "backend": "a-library", "models": {"model": model} if model else {},
            "locked": {model: "shipped"} if model else {}, "tools": {"ffmpeg": "7.1"}, "facts": dict(facts or {}),
            "warnings": list(warnings),
        }  # fmt: skip

    def _stored(self, role: str, output: Document | bytes | None) -> StoredFile | None:
        if output is None:
            return None
        content = output if isinstance(output, bytes) else output.as_text().encode()
        return self.content(f"{role}.json", content)

    def write(self) -> Path:
        """Write the record into the folder, and return that."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.job.write(self.folder / JOB)
        return self.folder


def sound(seconds: float) -> bytes:
    """Return a WAV file with a tone."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        period = b"".join(struct.pack("<h", round(20_000 * math.sin(at / 160 * 2 * math.pi))) for at in range(160))
        out.writeframes(period * round(seconds * 100))
    return stream.getvalue()


def film(root: Path, *, cues: int = 6, languages: Sequence[str] = ("en",), text: str = "Hello there.") -> MadeJob:
    """Return a job with everything that a report can show: a cue of three seconds after another, of two speakers."""
    made = MadeJob(root)
    length_ms = cues * 3_000
    tracks = (Track(index=0, kind="video", codec="h264"), Track(index=1, kind="audio", codec="aac", title=text))
    media = Media(
        container="mp4", start_ms=0, duration_ms=length_ms, tracks=tracks, audio_track=1, decoded_ms=length_ms
    )
    made.add("demux", "demux", {"media": media, "speech": sound(min(cues * 3.0, 30.0)), "full": None})
    spans = [(number * 3_000 + 200, number * 3_000 + 2_700) for number in range(cues)]
    regions = tuple(Region(start_ms=start, end_ms=end) for start, end in spans)
    made.add("vad", "vad", {"speech": SpeechRegions(duration_ms=length_ms, regions=regions)})
    made.add("shots", "shots", {"shots": Shots(changes_ms=tuple(start for start, _ in spans), applied=True, reason="")})
    turns = tuple(
        Turn(start_ms=start, end_ms=end, speaker=f"SPEAKER_0{number % 2}") for number, (start, end) in enumerate(spans)
    )
    made.add("diarize", "diarize", {"turns": Diarization(turns=turns)}, warnings=[f"one voice: {text}"])
    made.add("asr", "asr", {"transcript": _transcript(spans, text, length_ms)}, model=MODEL, params={"beam_size": 5})
    removal = Removal(start_ms=100, end_ms=900, text=f"Thanks for watching {text}", reason="stock-phrase")
    made.add("clean", "clean", {"removed": Removals(removals=(removal,))})
    for language in languages:
        _subtitles(made, language, spans, text)
    return made


def _transcript(spans: Sequence[tuple[int, int]], text: str, length_ms: int) -> Transcript:
    segments = []
    for number, (start_ms, end_ms) in enumerate(spans):
        words = tuple(
            Word(
                text=word, start_ms=start_ms + at * 200, end_ms=start_ms + at * 200 + 150,
                probability=0.2 if number == 1 else 0.9, speaker=f"Voice {number % 2}",
            )
            for at, word in enumerate(text.split()[:12])
        )  # fmt: skip
        segments.append(Segment(id=number, text=text, start_ms=start_ms, end_ms=end_ms, words=words))
    return Transcript(language="en", language_probability=1.0, duration_ms=length_ms, segments=tuple(segments))


def _subtitles(made: MadeJob, language: str, spans: Sequence[tuple[int, int]], text: str) -> None:
    cues = tuple(
        Cue(start_ms=start, end_ms=end, lines=(text, "and a second line"), spoken=Region(start_ms=start, end_ms=end))
        for start, end in spans
    )
    worst = tuple(
        Offender(number=number, start_ms=start, found=31.5, text=text[:60], reason="spoken at 30 places a second")
        for number, (start, _) in enumerate(spans, start=1)
        if number % 5 == 1
    )
    broken = Broken(
        rule="reading-speed", severity="error", meaning="places a second", limit=20, count=len(worst), worst=worst
    )
    report = QualityReport(language=language, cues=len(cues), over_limits=len(worst), broken=(broken,))
    step = "subtitle" if language == "en" else f"subtitle-translated:{language}"
    outputs: dict[str, Document | bytes | None] = {
        "cues": CueSheet(language=language, cues=cues),
        "report": report,
        "files": b"1\n",
    }
    made.add(step, "subtitle", outputs, facts={"cues": len(cues), "over_limits": len(worst), "language": language})
    name = f"film.{language}.srt"
    made.files[name] = hashlib.sha256(name.encode()).hexdigest()
    made.origins[name] = f"{step}.files"
