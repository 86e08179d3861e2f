"""Every backend of the starter profile gives the same bytes cold, warm and in reverse order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.registry import STAGES
from tests.conftest import ROOT
from tests.real.conftest import Stages, call

Jobs = list[tuple[str, dict[str, Path | tuple[Path, ...]], dict[str, str | int], str | None]]


@pytest.fixture(scope="session")
def two_media(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two parts of the sample, of different length and with different first speakers."""
    folder = tmp_path_factory.mktemp("parts")
    parts = []
    for name, start, length in (("one", "3", "9"), ("two", "14", "13")):
        parts.append(folder / f"{name}.mp4")
        call(
            ffmpeg,
            "-nostdin",
            "-loglevel",
            "error",
            "-ss",
            start,
            "-t",
            length,
            "-i",
            ROOT / "samples" / "demo.mp4",
            parts[-1],
        )
    return parts[0], parts[1]


def _work(stages: Stages, media: Path) -> Jobs:
    """One job for every stage and backend, each fed by the ones before it, for one media."""
    demux = stages("demux", {"media": media}, {"full_rate": 48000})
    audio = demux.file("speech")
    speech = stages("vad", {"audio": audio}).file("speech")
    heard = stages("asr", {"audio": audio, "speech": speech}).file("transcript")
    words = stages("align", {"audio": audio, "transcript": heard}).file("transcript")
    turns = stages("diarize", {"audio": audio, "speech": speech}).file("turns")
    said = stages("attribute", {"transcript": words, "turns": turns}).file("transcript")
    shown = stages("subtitle", {"transcript": said})
    muxed: dict[str, Path | tuple[Path, ...]] = {
        "media": media, "info": demux.file("media"), "sheets": (shown.file("cues"),)
    }  # fmt: skip
    both: dict[str, Path | tuple[Path, ...]] = {"audio": audio, "speech": speech}
    return [
        ("demux", {"media": media}, {"full_rate": 48000}, None),
        ("vad", {"audio": audio}, {}, None),
        ("separate", both, {"when": "always"}, None),
        ("asr", both, {}, None),
        ("align", {"audio": audio, "transcript": heard}, {}, None),
        ("diarize", both, {}, None),
        ("attribute", {"transcript": words, "turns": turns}, {}, None),
        ("translate", {"audio": audio, "transcript": said}, {"target": "pt"}, "bergamot"),
        ("translate", {"audio": audio, "transcript": said}, {"target": "en"}, "whisper"),
        ("subtitle", {"transcript": said}, {}, None),
        ("check", {"subtitles": shown.folder / "subtitles.srt", "media": media}, {"language": "en"}, None),
        ("mux", muxed, {}, None),
    ]


def test_cold_is_warm_is_reverse_order(make_stages: Callable[[], Stages], two_media: tuple[Path, Path]) -> None:
    first = make_stages()
    one, two = (_work(first, media) for media in two_media)  # leaves every worker of `first` warm
    forward = [[first(*job).content() for job in jobs] for jobs in (one, two)]
    backward = [[first(*job).content() for job in jobs] for jobs in (two, one)][::-1]
    cold = make_stages()
    fresh = [[cold(*job).content() for job in jobs] for jobs in (two, one)][::-1]
    for media, jobs in enumerate((one, two)):
        for number, (stage, _, _, backend) in enumerate(jobs):
            name = f"{stage} {backend or ''} on media {media}"
            assert forward[media][number], f"{name} wrote nothing"
            assert forward[media][number] == backward[media][number], f"{name}: the order of jobs changes the bytes"
            assert forward[media][number] == fresh[media][number], f"{name}: a cold worker gives other bytes"


def test_every_backend_of_every_stage_is_in_the_conformance_test() -> None:
    covered = {
        "demux": {"ffmpeg"}, "vad": {"silero"}, "separate": {"deepfilternet"}, "asr": {"faster-whisper"},
        "align": {"decoder-times"}, "diarize": {"speaker-clusters"}, "attribute": {"overlap"},
        "translate": {"bergamot", "whisper"}, "subtitle": {"pysubs2"},
        "check": {"pysubs2"}, "mux": {"ffmpeg"},
    }  # fmt: skip
    assert {name: set(stage.backends) for name, stage in STAGES.items()} == covered
