"""Publishes a film that no model heard: stubs run, and their words are replaced by made-up ones, in the result store.

    .venvs/test/bin/python benchmarks/made_up_film.py FOLDER [--cues 3000]

The review page shows such a film as any other, so that it can be tried with as many cues as wanted, without a model.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import random
import subprocess
import sys
import wave
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from pipeline.store.results import ResultStore, StoredFile, StoredResult
from shared.documents.media import Media, Track
from shared.documents.removals import Removal, Removals
from shared.documents.transcript import Segment, Transcript, Word

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., object]
"""Runs the command line with these words."""

_RATE = 16_000
_WORD_MS, _PAUSE_MS = 320, 700
_SURE = 0.97
_COMMAND = [sys.executable, "-P", "-m", "pipeline"]
_WORDS = ("quiet", "sailor", "harbour", "the", "morning", "and", "remember", "a", "window", "carries", "old", "letters")


@dataclass(frozen=True)
class Line:
    """The words of one speaker. `doubts` are the probabilities of unsure words; a word of `others` has that speaker."""

    text: str
    speaker: str = "SPEAKER_00"
    doubts: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    word_ms: int = _WORD_MS


def transcript_of(lines: Iterable[Line], language: str = "en") -> Transcript:
    """Return a transcript with one word after the other, a segment a line."""
    segments: list[Segment] = []
    now = 500
    for number, line in enumerate(lines):
        words = []
        for text in line.text.split():
            bare = text.strip(".,!?")
            probability = line.doubts.get(bare, _SURE)
            speaker = line.others.get(bare, line.speaker)
            words.append(
                Word(text=text, start_ms=now, end_ms=now + line.word_ms, probability=probability, speaker=speaker)
            )
            now += line.word_ms
        segment = Segment(
            id=number, text=line.text, start_ms=words[0].start_ms, end_ms=words[-1].end_ms, words=tuple(words),
            speaker=line.speaker, average_log_probability=-0.1,
        )  # fmt: skip
        segments.append(segment)
        now += _PAUSE_MS
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


def publish(
    run: Run,
    results: Path,
    film: Path,
    transcript: Transcript,
    removals: Sequence[Removal] = (),
    options: Sequence[str] = (),
    *,
    with_sound: bool = True,
) -> None:
    """Publish a film with stubs, as if this transcript had been heard in it."""
    words: list[str | Path] = ["run", film, "--stub", *options]
    again = [*words, "--force", "subtitle"]  # else the published files are up to date
    run(*words)
    if with_sound:
        plant(results, {
            ("demux", "speech"): sound_of(transcript.duration_ms),
            ("demux", "media"): _media(transcript.duration_ms).as_text().encode(),
        })  # fmt: skip
        run(*again)
    plant(results, {("asr", "transcript"): transcript.as_text().encode()})
    run(*again)
    if removals:
        plant(results, {("clean", "removed"): Removals(removals=tuple(removals)).as_text().encode()})
        run(*again)


def _media(duration_ms: int) -> Media:
    track = Track(index=0, kind="audio", codec="aac", duration_ms=duration_ms, channels=1, sample_rate=_RATE)
    return Media(
        container="mov,mp4", start_ms=0, duration_ms=duration_ms, tracks=(track,), audio_track=0, decoded_ms=duration_ms
    )


def some_lines(count: int) -> list[Line]:
    """Return so many lines of made-up talk of three speakers, with an unsure word in every tenth."""
    dice = random.Random(1)
    found = []
    for number in range(count):
        words = [dice.choice(_WORDS) for _ in range(dice.randint(4, 11))]
        doubts = {words[-1]: 0.3} if number % 10 == 0 else {}
        found.append(Line(f"{' '.join(words).capitalize()}.", f"SPEAKER_{number // 4 % 3:02d}", doubts))
    return found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the films below a folder of results while the context lasts; yield the server's address."""
    command = [*_COMMAND, "serve", "--port", "0", "--stub", "--media", str(folder / "films")]
    process = subprocess.Popen(
        command, env=_environment(folder), cwd=folder, text=True, encoding="utf-8", stderr=subprocess.PIPE
    )
    assert process.stderr
    try:
        yield next(line.split()[-1] for line in process.stderr if line.startswith("serving on "))
    finally:
        process.terminate()
        process.communicate()


def runner(folder: Path) -> Run:
    """Return what runs the command line with results and output below a folder."""

    def run(*words: str | Path) -> None:
        done = subprocess.run(
            [*_COMMAND, *map(str, words)],
            env=_environment(folder),
            cwd=folder,
            text=True,
            encoding="utf-8",
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr

    return run


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REEL_")}
    own = {"REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    return {**kept, **own, "PYTHONPATH": str(ROOT)}


def make_film(folder: Path) -> Path:
    """Put the sample below a folder, and return its path."""
    film = folder / "films" / "film.mp4"
    film.parent.mkdir(parents=True, exist_ok=True)
    film.write_bytes((ROOT / "samples" / "demo.mp4").read_bytes())
    return film


def main() -> int:
    """Publish a film and say how it is looked at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cues", type=int, default=300)
    wanted = parser.parse_args()
    folder = wanted.folder.resolve()
    publish(runner(folder), folder / "results", make_film(folder), transcript_of(some_lines(wanted.cues)))
    with served(folder) as address:
        print(f"look at {address}; Ctrl-C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            input()
    return 0


if __name__ == "__main__":
    sys.exit(main())
