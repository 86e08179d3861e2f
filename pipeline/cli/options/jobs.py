"""The arguments of `run`, `plan` and `watch`."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.setting_names import SHORT_NAMES
from pipeline.cli.flag_values import count, given, seconds, split_list, whole
from pipeline.cli.options.declare import HOW, MAKE, PLACE, TAKE, Arguments, argument, flag, repeated, switch, toggle
from pipeline.cli.options.shared import (
    ClusterFlag,
    FirstUseFlags,
    GuideFlag,
    PlaceFlags,
    ProgressFlag,
    SettingFlags,
    WaitFlag,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ProductFlags(PlaceFlags):
    """The flags that say what is made of each media file, and where it goes."""

    recipe: str | None = flag(
        "--recipe", group=MAKE, metavar="NAME", setting="recipe", kind="recipe",
        help="what to make: subtitle, transcribe, translate, names, screen-text, page-text, or a recipe file",
    )  # fmt: skip
    to: str | None = flag(
        "--to", group=MAKE, metavar="LANGUAGES", setting="to", kind="language", read=given,
        help="target languages, as tags or names, with commas: `pt,en`",
    )  # fmt: skip
    glossary: str | None = flag(
        "--glossary", group=MAKE, metavar="FILE", setting="glossary", kind="file",
        help="a table of names and terms with their required translations: TSV or CSV",
    )  # fmt: skip
    formats: tuple[str, ...] | None = flag(
        "--formats", group=MAKE, metavar="LIST", setting="stages.subtitle.formats", read=split_list,
        help="subtitle files to write (srt,vtt): srt, vtt, ass, ttml, scc, json, whisper, txt",
    )  # fmt: skip
    bilingual: str | None = flag(
        "--bilingual", group=MAKE, choices=("source-above", "source-below"), setting="bilingual",
        help="also write subtitles in two languages at once: the spoken one above or below each target language",
    )  # fmt: skip
    container: str | None = flag(
        "--container", group=MAKE, choices=("mkv", "mp4"), setting="stages.mux.container",
        help="format of the film with the subtitles inside (mkv)",
    )  # fmt: skip
    film: bool | None = toggle(
        "--film", group=MAKE, setting="film",
        help="make, or do not make, a copy of the film with the subtitles inside",
    )  # fmt: skip
    report: bool | None = toggle(
        "--report", group=MAKE, setting="report",
        help="write, or do not write, report.html: what needs a look, and how everything was made",
    )  # fmt: skip
    burn_in: str | None = flag(
        "--burn-in", group=MAKE, metavar="LANGUAGE", setting="stages.mux.burn_in", kind="language",
        help="draw the subtitles in this language into the picture",
    )  # fmt: skip
    replace: bool | None = switch(
        "--replace", group=PLACE, setting="replace",
        help="overwrite files that reel did not write if they have an output's name; never a media file",
    )  # fmt: skip
    skip_existing: bool | None = toggle(
        "--skip-existing", group=TAKE, setting="skip_existing",
        help="skip media files that already have text subtitles in the requested languages, inside or next to them",
    )  # fmt: skip
    subtitles: str | None = flag(
        "--subtitles", group=TAKE, metavar="auto|none|track:N|FILE", setting="subtitles", kind="file", read=given,
        help="the existing subtitle to use instead of recognition: one in the spoken language, if it fits; or this one",
    )  # fmt: skip
    fill_gaps: bool | None = toggle(
        "--fill-gaps", group=TAKE, setting="stages.assemble.fill",
        help="recognise speech that the existing subtitle has no cue for",
    )  # fmt: skip
    relayout: bool | None = toggle(
        "--relayout", group=MAKE, setting="stages.subtitle.relayout",
        help="give an existing subtitle the lines, times and shots of the guide; its text stays",
    )  # fmt: skip
    language: str | None = flag(
        "--language", group=TAKE, metavar="TAG", setting=SHORT_NAMES["language"], kind="language",
        help="the language of the speech, or of a subtitle that is named instead of a film; without it, it is found",
    )  # fmt: skip
    audio_track: int | None = flag(
        "--audio-track", group=TAKE, metavar="N", setting=SHORT_NAMES["audio_track"], read=whole,
        help="the number of the audio track to use, from 0",
    )  # fmt: skip
    audio_language: str | None = flag(
        "--audio-language", group=TAKE, metavar="TAG", setting=SHORT_NAMES["audio_language"], kind="language",
        help="the language of the audio track to use",
    )  # fmt: skip
    speakers: int | None = flag(
        "--speakers", group=TAKE, metavar="N", setting=SHORT_NAMES["speakers"], read=whole, help="how many people speak"
    )
    min_speakers: int | None = flag(
        "--min-speakers", group=TAKE, metavar="N", setting=SHORT_NAMES["min_speakers"], read=whole,
        help="the smallest possible number of speakers",
    )  # fmt: skip
    max_speakers: int | None = flag(
        "--max-speakers", group=TAKE, metavar="N", setting=SHORT_NAMES["max_speakers"], read=whole,
        help="the largest possible number of speakers",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class InputFlags(Arguments):
    """The flags that say which media files are processed."""

    media: tuple[str, ...] = argument(
        "FILE", "files, folders or patterns; `run` also takes the address of a film", "*", kind="file"
    )
    manifest: str | None = flag(
        "--manifest", group=TAKE, metavar="FILE", kind="file",
        help="a list of media files, each with its own settings: JSON lines or CSV",
    )  # fmt: skip
    order: str = flag(
        "--order", group=TAKE, choices=("given", "name", "smallest", "largest", "oldest", "newest"), default="given",
        help="which media files come first",
    )  # fmt: skip
    limit: int | None = flag("--limit", group=TAKE, metavar="N", read=count, help="only the first N media files")


@dataclass(frozen=True, kw_only=True, eq=False)
class StepFlags(Arguments):
    """The flags that select steps of the recipe; `reel plan` shows their names."""

    from_step: str | None = flag(
        "--from", group=HOW, metavar="STEP", help="do this step again, and every step that depends on it"
    )
    until: str | None = flag(
        "--until", group=HOW, metavar="STEP", excludes="until",
        help="leave out what comes after this step; nothing is published",
    )  # fmt: skip
    only: str | None = flag(
        "--only", group=HOW, metavar="STEP", excludes="until",
        help="do this step again, after missing ones before it; nothing is published",
    )  # fmt: skip
    force: tuple[str, ...] = repeated(
        "--force", group=HOW, metavar="STEP",
        help="do this step again; later ones follow if its result differs; may be repeated",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class JobFlags(StepFlags, SettingFlags, FirstUseFlags, GuideFlag, ProductFlags, InputFlags):
    """The flags of `run` and `plan`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunMedia(ProgressFlag, WaitFlag, ClusterFlag, JobFlags):
    continuing: bool = switch(
        "--continue", group=TAKE,
        help="use your corrections in the output folder, and redo the steps that depend on them",
    )  # fmt: skip
    keep_going: bool = switch(
        "--keep-going", group=HOW, excludes="failing", help="continue with the others if one fails (the default)"
    )
    fail_fast: bool = switch("--fail-fast", group=HOW, excludes="failing", help="end the run if one file fails")
    retry_failed: bool = switch("--retry-failed", group=TAKE, help="only what failed in the last run that had failures")


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanMedia(JobFlags):
    explain: bool = switch("--explain", group=HOW, help="for each step, what changed since it last ran, as old -> new")


@dataclass(frozen=True, kw_only=True, eq=False)
class WatchFolders(ProgressFlag, WaitFlag, ClusterFlag, SettingFlags, FirstUseFlags, GuideFlag, ProductFlags):
    folders: tuple[str, ...] = argument("DIR", "folders to watch, including their subfolders", "+", kind="folder")
    settle: float = flag(
        "--settle", group=TAKE, metavar="SECONDS", read=seconds, default=3.0,
        help="process a file once it has been unchanged for this long (3)",
    )  # fmt: skip
    fail_fast: bool = switch("--fail-fast", group=HOW, help="end if one file fails")
