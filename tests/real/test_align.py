"""Stage `align` with real aligners' code: torchaudio's network for English, and one of transformers' for Hindi."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript, Word
from tests.conftest import ROOT
from tests.real.cases import script
from tests.real.conftest import MakeStages, ServeModels, StageRun, Stages

HINDI = "नमस्ते दुनिया 50% — आज 3 बजे।"
WINDOW, LATER = Region(start_ms=1_000, end_ms=11_000), Region(start_ms=11_000, end_ms=15_000)


@pytest.fixture(scope="module")
def hindi(
    real_project: Project, serve_models: ServeModels, make_stages: MakeStages, tmp_path_factory: pytest.TempPathFactory
) -> Stages:
    """Return stages with an aligner for Hindi, and none for any other language."""
    real_project.installed.environments.ensure("speech", lambda event: None)
    folder = tmp_path_factory.mktemp("aligner")
    script("tiny_aligner.py", "devanagari")(real_project.installed.environments.python("speech"), folder)
    return make_stages(serve_models({"align-hi": folder}, align={"hi": "align-hi"}))


def transcript(language: str, *texts: str) -> Transcript:
    """Return texts without times of words, all of them heard in one window."""
    segments = tuple(
        Segment(
            id=number,
            text=text,
            start_ms=WINDOW.start_ms,
            end_ms=WINDOW.end_ms,
            words=tuple(
                Word(text=word, start_ms=WINDOW.start_ms, end_ms=WINDOW.end_ms, probability=0.5, interpolated=True)
                for word in text.split()
            ),
            window=WINDOW,
        )
        for number, text in enumerate(texts)
    )
    return Transcript(language=language, language_probability=1, duration_ms=30_000, segments=segments)


def align(stages: Stages, audio: Path, said: Transcript, folder: Path) -> StageRun:
    return stages("align", {"audio": audio, "transcript": said.write(folder / "said.json")}, {}, "whisperx")


def test_every_word_gets_a_place_in_its_window_and_one_that_nobody_speaks_is_marked(
    hindi: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    done = align(hindi, speech_clip, transcript("hi", HINDI, "शुभ रात्रि"), tmp_path)
    assert done.warnings == []
    found = Transcript.read(done.file("transcript"))
    words = [word for segment in found.segments for word in segment.words]
    assert [word.text for word in words] == f"{HINDI} शुभ रात्रि".split()
    assert [word.text for word in words if word.interpolated] == ["—"]
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(words))
    assert all(WINDOW.start_ms <= word.start_ms < word.end_ms <= WINDOW.end_ms for word in words)
    assert [segment.window for segment in found.segments] == [None, None]
    assert (done.facts["words"], done.facts["interpolated"]) == (9, 1)


def test_a_network_that_hears_ahead_as_on_a_card_finds_the_same_words(
    real_project: Project, speech_clip: Path, tmp_path: Path
) -> None:
    real_project.installed.environments.ensure("speech", lambda event: None)
    python = real_project.installed.environments.python("speech")
    script("tiny_aligner.py", "devanagari")(python, tmp_path)
    said = transcript("hi", HINDI, "शुभ रात्रि")
    later = [segment.model_copy(update={"id": 2 + segment.id, "window": LATER}) for segment in said.segments]
    said = said.model_copy(update={"segments": (*said.segments, *later)})
    program = ROOT / "tests" / "fakes" / "align_beside.py"
    command = [python, program, tmp_path, speech_clip, said.write(tmp_path / "said.json")]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    one_by_one, beside = ran.stdout.splitlines()[-2:]
    assert one_by_one == beside
    assert "interpolated=False" in beside


def test_without_an_aligner_for_the_language_words_keep_their_times_and_the_user_is_told(
    hindi: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    said = transcript("fr", "Bonjour.")
    done = align(hindi, speech_clip, said, tmp_path)
    assert done.warnings == ["no aligner for French: its words keep the times that the decoder gave them"]
    (segment,) = Transcript.read(done.file("transcript")).segments
    assert segment.words[0].interpolated
    assert segment.window == WINDOW


def test_more_letters_than_sound_are_not_found_anywhere(hindi: Stages, speech_clip: Path, tmp_path: Path) -> None:
    said = transcript("hi", "क" * 2_000)
    done = align(hindi, speech_clip, said, tmp_path)
    (segment,) = Transcript.read(done.file("transcript")).segments
    assert segment.words[0].interpolated
