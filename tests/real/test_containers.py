"""Every suffix that a folder is searched for: a file of it, made by the real ffmpeg, is found and opened."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.engine.folder_walk import FolderWalk
from shared.containers import CONTAINERS, MEDIA_SUFFIXES, is_ambiguous
from tests.real.conftest import Stages

# How ffmpeg is asked for a file of a suffix. A sound is enough: the picture changes nothing about opening it.
_AAC, _MP2, _PCM = ("-c:a", "aac"), ("-c:a", "mp2"), ("-c:a", "pcm_s16le")
_DV = ("-f", "lavfi", "-i", "testsrc=size=720x576:rate=25:duration=1", "-pix_fmt", "yuv420p", "-target", "pal-dv")
WRITTEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CONTAINERS["mov"], (*_AAC, "-f", "mov")),
    **dict.fromkeys(CONTAINERS["mp4"], (*_AAC, "-f", "mp4")),
    **dict.fromkeys(CONTAINERS["m4a"], (*_AAC, "-f", "ipod")),
    **dict.fromkeys(CONTAINERS["3gp"], (*_AAC, "-f", "3gp")),
    **dict.fromkeys(CONTAINERS["matroska"], (*_AAC, "-f", "matroska")),
    **dict.fromkeys(CONTAINERS["webm"], ("-c:a", "libopus", "-f", "webm")),
    **dict.fromkeys(CONTAINERS["ogg"], ("-c:a", "libopus", "-f", "ogg")),
    **dict.fromkeys(CONTAINERS["mpeg"], (*_MP2, "-f", "vob")),
    **dict.fromkeys(CONTAINERS["mpegts"], (*_MP2, "-f", "mpegts")),
    **dict.fromkeys(CONTAINERS["asf"], ("-c:a", "wmav2", "-f", "asf")),
    **dict.fromkeys(CONTAINERS["avi"], (*_MP2, "-f", "avi")),
    **dict.fromkeys(CONTAINERS["flv"], (*_AAC, "-f", "flv")),
    **dict.fromkeys(CONTAINERS["aiff"], ("-c:a", "pcm_s16be", "-f", "aiff")),
    **dict.fromkeys(CONTAINERS["wav"], (*_PCM, "-f", "wav")),
    **dict.fromkeys(CONTAINERS["mp3"], (*_MP2, "-f", "mp2")),
    **dict.fromkeys(CONTAINERS["aac"], (*_AAC, "-f", "adts")),
    **dict.fromkeys(CONTAINERS["loas"], (*_AAC, "-f", "latm")),
    **dict.fromkeys(CONTAINERS["dv"], _DV),
    **dict.fromkeys(CONTAINERS["dts"], ("-c:a", "dca", "-strict", "-2", "-ar", "48000", "-f", "dts")),
    **dict.fromkeys(CONTAINERS["truehd"], ("-c:a", "truehd", "-strict", "-2", "-ac", "2", "-f", "truehd")),
    **dict.fromkeys(CONTAINERS["eac3"], ("-c:a", "eac3", "-f", "eac3")),
    **dict.fromkeys(CONTAINERS["au"], ("-c:a", "pcm_s16be", "-f", "au")),
    ".ac3": ("-c:a", "ac3", "-f", "ac3"),
    ".amr": ("-ar", "8000", "-f", "amr"),
    ".caf": (*_PCM, "-f", "caf"),
    ".flac": ("-f", "flac"),
    ".mxf": (*_PCM, "-ar", "48000", "-f", "mxf_opatom"),
    ".nut": (*_MP2, "-f", "nut"),
    ".rm": ("-c:a", "ac3", "-f", "rm"),
    ".tta": ("-c:a", "tta", "-f", "tta"),
    ".voc": ("-c:a", "pcm_u8", "-f", "voc"),
    ".w64": (*_PCM, "-f", "w64"),
    ".wtv": (*_MP2, "-f", "wtv"),
    ".wv": ("-c:a", "wavpack", "-f", "wv"),
}


@pytest.mark.parametrize("suffix", sorted(WRITTEN))
def test_a_file_of_each_suffix_is_found_and_opened(
    ffmpeg: Path, run_stage: Stages, tmp_path: Path, suffix: str
) -> None:
    film = tmp_path / f"film{suffix}"
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=44100")
    command = [str(ffmpeg), "-nostdin", "-loglevel", "error", *sound, "-ac", "1", *WRITTEN[suffix], f"file:{film}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this ffmpeg does not write it: {done.stderr[-200:]}")
    assert [entry.name for entry in FolderWalk().media(str(tmp_path))] == [film.name]
    assert run_stage("demux", {"media": film}).file("speech").stat().st_size > 16_000


def test_only_what_this_ffmpeg_cannot_write_goes_without_such_a_file() -> None:
    unwritten = {"ape", "amrwb", "dtshd", "gxf", "mpc", "mpc8", "oma", "rm"}
    assert set(WRITTEN) <= MEDIA_SUFFIXES
    assert {suffix for name, all_of in CONTAINERS.items() if name not in unwritten for suffix in all_of} <= set(WRITTEN)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in MEDIA_SUFFIXES)
    assert {suffix for suffix in MEDIA_SUFFIXES if is_ambiguous(suffix)} <= set(WRITTEN)
