"""Stage `asr` with a real Whisper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import jiwer
import numpy as np
import pytest

from pipeline.base.errors import StageRefused
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Transcript
from shared.text.glossary import Glossary, Term
from tests.conftest import ROOT
from tests.real.conftest import Stages, write_wav

RATE = 16_000


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


@pytest.fixture(scope="module")
def reference() -> str:
    """Return what is said in the sample: its text without the names of the speakers."""
    lines = (ROOT / "samples" / "demo.txt").read_text(encoding="utf-8").splitlines()
    return _words(" ".join(line.partition(": ")[2] for line in lines))


@pytest.fixture(scope="module", params=["faster-whisper", "whisperx"])
def transcript(
    request: pytest.FixtureRequest, run_stage: Stages, speech_clip: Path, speech_regions: Path
) -> Transcript:
    done = run_stage("asr", {"audio": speech_clip, "speech": speech_regions}, {}, request.param)
    assert done.warnings == []
    return Transcript.read(done.file("transcript"))


def test_a_conversation_is_understood(transcript: Transcript, reference: str) -> None:
    assert jiwer.wer(reference, _words(transcript.text)) < 0.10
    assert transcript.language == "en"
    assert transcript.language_probability > 0.8


def test_every_word_has_a_time_inside_the_audio(transcript: Transcript) -> None:
    words = [word for segment in transcript.segments for word in segment.words]
    assert len(words) == len(transcript.text.split())
    starts = [word.start_ms for word in words]
    assert starts == sorted(starts)
    assert all(0 <= word.start_ms <= word.end_ms <= transcript.duration_ms for word in words)


def test_a_segments_text_is_its_words(transcript: Transcript) -> None:
    assert transcript.segments
    for segment in transcript.segments:
        assert segment.text == "".join(word.text if word.joined else f" {word.text}" for word in segment.words).strip()


def test_whisperx_says_in_which_window_a_sentence_was_heard(
    run_stage: Stages, speech_clip: Path, speech_regions: Path
) -> None:
    inputs = {"audio": speech_clip, "speech": speech_regions}
    done = run_stage("asr", inputs, {"language": "en", "hotwords": "subtitles", "batch_size": 1}, "whisperx")
    found = Transcript.read(done.file("transcript"))
    assert "subtitles" in found.text
    for segment in found.segments:
        assert segment.window is not None
        assert segment.window.start_ms <= segment.start_ms < segment.end_ms <= segment.window.end_ms
        assert segment.window.end_ms - segment.window.start_ms <= 30_000
        assert all(word.interpolated for word in segment.words)


@pytest.mark.parametrize("sound", ["silence", "white noise", "hum"])
def test_nothing_is_invented_even_where_the_regions_are_wrong(run_stage: Stages, tmp_path: Path, sound: str) -> None:
    time = np.arange(20 * RATE) / RATE
    samples = {
        "silence": np.zeros(20 * RATE),
        "white noise": np.random.default_rng(0).standard_normal(20 * RATE) * 0.1,
        "hum": np.sin(2 * np.pi * 50 * time) * 0.2,
    }[sound]
    audio = write_wav(tmp_path / "a.wav", (samples * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    everything = SpeechRegions(duration_ms=20_000, regions=(Region(start_ms=0, end_ms=20_000),))
    done = run_stage("asr", {"audio": audio, "speech": everything.write(tmp_path / "speech.json")}, {"language": "en"})
    assert Transcript.read(done.file("transcript")).segments == ()
    assert done.warnings


def test_silence_is_no_language(run_stage: Stages, tmp_path: Path) -> None:
    nothing = SpeechRegions(duration_ms=20_000, regions=()).write(tmp_path / "speech.json")
    audio = write_wav(tmp_path / "a.wav", bytes(2 * 20 * RATE))
    found = Transcript.read(run_stage("asr", {"audio": audio, "speech": nothing}).file("transcript"))
    assert found == Transcript(language="und", language_probability=0, duration_ms=20_000, segments=())


@pytest.mark.parametrize("backend", ["faster-whisper", "whisperx"])
def test_hotwords_decide_how_a_name_is_written(run_stage: Stages, backend: str) -> None:
    audio = run_stage("demux", {"media": ROOT / "tests" / "data" / "espeak" / "names.flac"}).file("speech")
    names = Glossary(terms=(Term(source="Katharine Smythe"), Term(source="Reykjavík"))).hotwords

    def heard(params: Mapping[str, str]) -> tuple[str, list[str]]:
        done = run_stage("asr", {"audio": audio}, {"language": "en", **params}, backend)
        return Transcript.read(done.file("transcript")).text, done.warnings

    assert "Katharine" not in heard({})[0]
    more = [f"Ranvir{number}" for number in range(100)]
    text, warnings = heard({"hotwords": ", ".join([names, *more])})
    assert "Katharine Smythe" in text
    (warning,) = warnings
    assert re.search(r"no room for \d\d of the hotwords, from `Ranvir\d\d` on", warning)


def test_a_language_that_this_whisper_does_not_know_is_refused(
    run_stage: Stages, speech_clip: Path, speech_regions: Path
) -> None:
    with pytest.raises(StageRefused) as refusal:
        run_stage("asr", {"audio": speech_clip, "speech": speech_regions}, {"language": "gom"})
    assert refusal.value.code == "asr.language"
