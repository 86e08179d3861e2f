"""The arguments of commands on single files: `check`, `stage` and `edits`."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cli.flag_values import given
from pipeline.cli.options.declare import HOW, MAKE, PLACE, TAKE, Arguments, argument, flag, switch
from pipeline.cli.options.shared import FirstUseFlags, GuideFlag, ProgressFlag, SettingFlags, WaitFlag


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckSubtitles(ProgressFlag, SettingFlags, GuideFlag):
    inputs: tuple[str, ...] = argument("FILE", "subtitle files of any format, made by reel or not", "+", kind="file")
    media: str | None = flag(
        "--media", group=TAKE, metavar="FILE", kind="file", help="their media file, for its duration and frame rate"
    )
    language: str | None = flag(
        "--language", group=TAKE, metavar="TAG", kind="language", help="their language; without it, as in `film.en.srt`"
    )
    reference: str | None = flag(
        "--reference", group=TAKE, metavar="FILE", kind="file", help="correct subtitles to compare them with (SubER)"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class SyncSubtitles(ProgressFlag, SettingFlags, FirstUseFlags, WaitFlag):
    media: str = argument("FILM", "the film", kind="file")
    subtitles: str = argument("SUBTITLE", "its subtitle file, or `track:N` for the text track N inside", kind="file")
    language: str | None = flag(
        "--language", group=TAKE, metavar="TAG", kind="language",
        help="the language of the subtitle; without it, as in `film.en.srt`, or as its text tells",
    )  # fmt: skip
    output: str | None = flag(
        "-o", "--output", group=PLACE, metavar="DIR", setting="output_dir", kind="folder",
        help="the folder for the output folder of the film (out)",
    )  # fmt: skip
    hear_all: bool | None = switch(
        "--hear-all", group=HOW, setting="stages.fit.hear_all",
        help="recognise the whole film even if a few stretches prove one offset for all cues",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ShowStage(Arguments):
    name: str = argument("NAME", "the stage, as `reel stages list` shows it", kind="stage")


@dataclass(frozen=True, kw_only=True, eq=False)
class NewStage(Arguments):
    name: str = argument("NAME", "the name of the new stage: lower-case letters, digits and `_`")


@dataclass(frozen=True, kw_only=True, eq=False)
class NewBackend(Arguments):
    stage: str = argument("STAGE", "the stage that gets a backend, as `reel stages list` shows it", kind="stage")
    name: str = argument("NAME", "the name of the new backend: lower-case letters, digits and dashes")
    like: str | None = flag(
        "--like", group=MAKE, metavar="BACKEND", kind="backend",
        help="the backend that it begins as (the one with the fewest models)",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class RunStage(ProgressFlag, SettingFlags, FirstUseFlags):
    name: str = argument("NAME", "the stage: demux, vad, separate, asr, align, diarize, ...", kind="stage")
    inputs: tuple[str, ...] = argument(
        "INPUT", "files in the order of the stage's inputs, or ROLE=FILE", "+", kind="file"
    )
    output: str = flag(
        "-o", "--output", group=PLACE, metavar="DIR", required=True, kind="folder", help="the folder for the outputs"
    )
    backend: str | None = flag(
        "--backend", group=HOW, metavar="NAME", kind="backend", help="the backend to use (that of the profile)"
    )
    to: str | None = flag(
        "--to", group=MAKE, metavar="LANGUAGE", setting="to", kind="language", read=given,
        help="the target language, for stages that translate",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ListEdits(Arguments):
    """The flags that say which file's corrections are meant."""

    media: str = argument("FILE", "the media file", kind="file")
    output: str | None = flag(
        "-o", "--output", group=PLACE, metavar="DIR", setting="output_dir", kind="folder",
        help="where the output folder of the media file is (out)",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ShowEdits(ListEdits):
    ids: tuple[str, ...] = argument("ID", "single corrections, as `edits list` names them; none: all of them", "*")


@dataclass(frozen=True, kw_only=True, eq=False)
class DropEdits(ListEdits, WaitFlag):
    names: tuple[str, ...] = argument(
        "FILE", "published files, as `film.en.srt`, or ids of single corrections; none: all of them", "*"
    )
