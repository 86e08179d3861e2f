"""Results that no model made: what a stub wrote is replaced in the result store, and the steps after it follow."""

from __future__ import annotations

import io
import math
import wave
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.store.results import ResultStore, StoredFile, StoredResult
from shared.documents.media import Media, Track
from shared.documents.removals import Removal, Removals
from shared.documents.transcript import Segment, Transcript, Word
from tests.conftest import Reel

_RATE = 16_000
_WORD_MS, _PAUSE_MS = 320, 700
_SURE = 0.97


@dataclass(frozen=True)
class Line:
    """What one speaker says. `doubts` are the probabilities of unsure words; a word of `others` has that speaker."""

    text: str
    speaker: str = "SPEAKER_00"
    doubts: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    pause_ms: int = _PAUSE_MS


def transcript_of(lines: Iterable[Line], language: str = "en") -> Transcript:
    """Return a transcript with a word every third of a second, a segment a line."""
    segments: list[Segment] = []
    now = 500
    for number, line in enumerate(lines):
        words = []
        for text in line.text.split():
            bare = text.strip(".,!?")
            probability = line.doubts.get(bare, _SURE)
            speaker = line.others.get(bare, line.speaker)
            words.append(Word(text=text, start_ms=now, end_ms=now + _WORD_MS, probability=probability, speaker=speaker))
            now += _WORD_MS
        segment = Segment(
            id=number, text=line.text, start_ms=words[0].start_ms, end_ms=words[-1].end_ms, words=tuple(words),
            speaker=line.speaker, average_log_probability=-0.1,
        )  # fmt: skip
        segments.append(segment)
        now += line.pause_ms
    return Transcript(language=language, language_probability=1.0, duration_ms=now, segments=tuple(segments))


def sound_of(duration_ms: int) -> bytes:
    """Return a WAV file of 16 kHz with a tone that comes and goes."""
    second = array("h", (round(9000 * math.sin(n * 0.17) * math.sin(math.pi * n / _RATE)) for n in range(_RATE)))
    content = io.BytesIO()
    with wave.open(content, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(_RATE)
        for _ in range(math.ceil(duration_ms / 1000)):
            stream.writeframes(second.tobytes())
    return content.getvalue()


def plant(results: Path, contents: Mapping[tuple[str, str], bytes]) -> None:
    """Replace outputs of stages, by stage and role, in every stored result that has them."""
    store = ResultStore(results)
    with store.open_for_writing("a test"):
        for path in store.manifests():
            result = StoredResult.read(path)
            outputs = dict(result.outputs)
            for (stage, role), content in contents.items():
                old = outputs.get(role)
                if stage == result.ingredients["stage"] and isinstance(old, StoredFile):
                    place = store.make_staging("planted") / old.name
                    place.write_bytes(content)
                    outputs[role] = store.take_in(place)
            if outputs != result.outputs:
                planted = result.model_copy(update={"outputs": outputs})
                store.write_manifest(planted)
                store.note(planted)


def run_planted(
    reel: Reel, film: Path, transcript: Transcript, removals: Sequence[Removal] = (), options: Sequence[str] = ()
) -> None:
    """Publish a film with stubs, as if this transcript had been heard in it."""
    track = Track(index=0, kind="audio", codec="aac", duration_ms=transcript.duration_ms, channels=1, sample_rate=_RATE)
    media = Media(
        container="mov,mp4", start_ms=0, duration_ms=transcript.duration_ms, tracks=(track,), audio_track=0,
        decoded_ms=transcript.duration_ms,
    )  # fmt: skip
    run: list[str | Path] = ["run", film, "--stub", *options]
    again = [*run, "--force", "subtitle"]  # else the published files are up to date
    reel(*run)
    plant(reel.results, {
        ("demux", "speech"): sound_of(transcript.duration_ms), ("demux", "media"): media.as_text().encode(),
    })  # fmt: skip
    reel(*again)
    plant(reel.results, {("asr", "transcript"): transcript.as_text().encode()})
    reel(*again)
    if removals:
        plant(reel.results, {("clean", "removed"): Removals(removals=tuple(removals)).as_text().encode()})
        reel(*again)
