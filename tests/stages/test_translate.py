"""What stage `translate` promises: one text for each segment, and a plain word about pairs nobody does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.stage import Job, StageError
from shared.transcript import Segment, Transcript
from shared.translation import Translation
from stages.translate import STAGE, TranslateInputs, TranslateJob, TranslateParams, backend_for, run, stub, translates
from tests.fakes.listener import Audience


@dataclass
class FakeEngine:
    texts: Sequence[str]
    calls: list[tuple[str, str]] = field(default_factory=list)

    def translate(self, audio: Path, segments: Sequence[Segment], source: str, target: str) -> Iterator[str]:
        self.calls.append((source, target))
        yield from self.texts


def a_job(folder: Path, language: str, *texts: str, target: str = "en", backend: str = "whisper") -> TranslateJob:
    segments = tuple(
        Segment(id=index, text=text, start_ms=index * 1_000, end_ms=index * 1_000 + 900)
        for index, text in enumerate(texts)
    )
    transcript = Transcript(language=language, language_probability=1, duration_ms=9_000, segments=segments)
    inputs = TranslateInputs(audio=folder / "a.wav", transcript=transcript.write(folder / "in.json"))
    return Job(inputs, TranslateParams(target=target), folder, backend, Audience())


def texts_of(path: Path) -> list[tuple[int, str]]:
    return [(segment.id, segment.text) for segment in Translation.read(path).segments]


def test_every_segment_gets_its_text_in_order(tmp_path: Path) -> None:
    job = a_job(tmp_path, "pt-BR", "bom dia", "adeus")
    engine = FakeEngine([" good morning ", "goodbye"])
    outputs = run(engine, job)
    assert texts_of(outputs.translation) == [(0, "good morning"), (1, "goodbye")]
    assert engine.calls == [("pt", "en")]
    assert Translation.read(outputs.translation).source == "pt-BR"
    assert job.facts == {"source": "pt-BR", "language": "en", "segments": 2, "untranslated": 0}


def test_a_text_that_came_back_empty_keeps_the_original_and_says_so(tmp_path: Path) -> None:
    job = a_job(tmp_path, "es", "hola", "adios")
    assert texts_of(run(FakeEngine(["", "goodbye"]), job).translation) == [(0, "hola"), (1, "goodbye")]
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == ["1 of 2 segments came back empty and keep their Spanish text"]


@pytest.mark.parametrize("texts", [["one"], ["one", "two", "three"]])
def test_a_backend_that_loses_or_adds_a_segment_is_caught(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises((ValueError, IndexError)):
        run(FakeEngine(texts), a_job(tmp_path, "es", "uno", "dos"))
    assert not (tmp_path / "translation.json").exists()


def test_the_same_language_is_copied_without_the_backend(tmp_path: Path) -> None:
    engine = FakeEngine([])
    outputs = run(engine, a_job(tmp_path, "en", "hello", target="en-GB"))
    assert texts_of(outputs.translation) == [(0, "hello")]
    assert engine.calls == []


def test_nothing_said_is_nothing_translated_whatever_the_pair(tmp_path: Path) -> None:
    assert texts_of(run(FakeEngine([]), a_job(tmp_path, "und", target="ja")).translation) == []


def test_a_pair_that_the_backend_does_not_do_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refusal:
        run(FakeEngine([]), a_job(tmp_path, "hi", "x", target="ur"))
    assert refusal.value.code == "translate.pair"
    assert "Hindi (hi) to Urdu (ur)" in refusal.value.message


def test_a_refusal_names_the_backend_that_would_do_it(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refusal:
        run(FakeEngine([]), a_job(tmp_path, "en", "x", target="pt"))
    assert refusal.value.hint == "backend `bergamot` does"


def test_a_target_that_is_no_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refusal:
        run(FakeEngine([]), a_job(tmp_path, "en", "x", target="English please"))
    assert refusal.value.code == "translate.target"


@pytest.mark.parametrize(
    ("source", "target", "backend"),
    [
        ("hi", "en", "whisper"), ("pt", "en", "bergamot"), ("pt-BR", "en-US", "bergamot"), ("en", "pt", "bergamot"),
        (None, "en", "whisper"), (None, "pt", "bergamot"), ("es", "pt", None), (None, "hi", None),
    ],
)  # fmt: skip
def test_a_plan_gets_the_backend_that_suits_the_pair(source: str | None, target: str, backend: str | None) -> None:
    assert backend_for(source, target) == backend


def test_the_same_language_needs_no_able_backend() -> None:
    assert all(translates(backend, "ja", "ja") for backend in STAGE.backends)


def test_every_backend_that_is_declared_does_some_pair() -> None:
    assert all(translates(backend, None, "en") for backend in STAGE.backends)


def test_the_stub_has_every_segment(tmp_path: Path) -> None:
    outputs = stub(a_job(tmp_path, "en", "hello", "bye", target="hi"))
    assert texts_of(outputs.translation) == [(0, "[hi] hello"), (1, "[hi] bye")]
