"""Lay out a transcript or its translation as subtitles within the limits of a guide, and write the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from shared.documents.cue import Cue, CueSheet, KeptCues, Kind, ReadCues
from shared.documents.media import Media, Track
from shared.documents.pins import Pin, Pins
from shared.documents.quality_report import UNSURE_TRANSLATION, Broken, Offender, QualityReport
from shared.documents.removals import Label, Labels
from shared.documents.shots import Shots
from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Resources, Stage, StageError
from shared.text.guide_limits import GuideParams, Limits
from shared.text.joining_words import NO_JOINING_WORDS, JoiningParams, JoiningWords
from shared.text.language_params import entry_for
from shared.text.stub_subtitles import stub_file

Format = Literal["srt", "vtt", "ass", "ttml", "scc", "json", "whisper", "txt"]
_MOST_NAMED = 5  # kinds of markup in a message
_NAMES: dict[Format, str] = {"json": "subtitles.json", "whisper": "subtitles.whisper.json"}


class SubtitleInputs(Files):
    """The text to lay out, and what the layout depends on.

    `transcript`: with word times; `translation`: laid out instead of it; `info`: `shared.documents.media.Media`, for
    the frame rate; `shots`: `shared.documents.shots.Shots`, to which cues are moved; `labels`:
    `shared.documents.removals.Labels`, shown for kind `sdh`; `kept`: `shared.documents.cue.KeptCues`, an existing
    subtitle whose times stay; `pins`: `shared.documents.pins.Pins`, a user's corrections; `edited`: the subtitle files
    with these corrections, oldest first.
    """

    transcript: Path
    translation: Path | None = None
    info: Path | None = None
    shots: Path | None = None
    labels: Path | None = None
    kept: Path | None = None
    pins: Path | None = None
    edited: tuple[Path, ...] = ()


Songs = Literal["mark", "italic", "keep", "skip"]


class SubtitleParams(GuideParams, JoiningParams):
    """The limits of the guide, the layout, and the files to write."""

    formats: tuple[Format, ...] = Field(("srt", "vtt"), description="the files to write")
    kind: Kind = Field(
        "full", description="what the file names say: all dialogue, for hearing impaired viewers, or shown unasked"
    )
    relayout: bool = Field(
        False, description="lay an existing subtitle out like recognised speech; without it, its cues keep their times"
    )
    songs: Songs = Field(
        "mark", description="how songs are shown: between notes, in italics, like speech, or not at all"
    )
    label_words: dict[str, dict[str, str]] = Field(
        {}, description="by language: what `music` and a `speaker` without a name are called, for kind `sdh`"
    )
    number_words: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: the words for the numbers from 0 on, if the guide wants them written out"
    )


class SubtitleOutputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`; `files`: the same in each of the formats, UTF-8.

    `report`: `shared.documents.quality_report.QualityReport`, with the reason for each cue over a limit.
    """

    cues: Path
    report: Path
    files: tuple[Path, ...] = ()


SubtitleJob = Job[SubtitleInputs, SubtitleParams]


@dataclass(frozen=True)
class LayoutOptions:
    """Layout options in addition to the guide's limits.

    `joining` are the words that hold a sentence together; `changes_ms` the times of shot changes; `numbers` the words
    for 0, 1, 2 and so on; `labels` the sounds to name; `music` the label of music; `speaker` the word for a speaker
    without a name, None if speakers are not named. `kept` are the cues of an existing subtitle; with `relayout`, their
    text is laid out again.
    """

    joining: JoiningWords = NO_JOINING_WORDS
    changes_ms: Sequence[int] = ()
    songs: Songs = "mark"
    numbers: Sequence[str] = ()
    labels: Sequence[Label] = ()
    music: str = "music"
    speaker: str | None = None
    kept: KeptCues | None = None
    relayout: bool = False


@dataclass(frozen=True)
class Corrections:
    """A user's corrections, and the files in which they were made."""

    pins: Sequence[Pin] = ()
    read: Sequence[ReadCues] = ()


NO_CORRECTIONS = Corrections()


class Engine(Protocol):
    """A backend: it lays out cues, reads a corrected file, checks cues, and renders them in a format."""

    def lay_out(
        self, transcript: Transcript, translation: Translation | None, limits: Limits, options: LayoutOptions,
        corrections: Corrections = NO_CORRECTIONS,
    ) -> CueSheet: ...  # fmt: skip
    def read(self, edited: Path) -> ReadCues: ...
    def is_same(self, sheet: CueSheet, read: ReadCues) -> bool: ...
    def check(self, sheet: CueSheet, limits: Limits, end_ms: int) -> QualityReport: ...
    def render(self, sheet: CueSheet, kind: str, aspect: float | None) -> str: ...
    def lost(self, sheet: CueSheet, kind: str) -> str | None: ...
    def whisper(self, transcript: Transcript, translation: Translation | None) -> str: ...


def run(engine: Engine, job: SubtitleJob) -> SubtitleOutputs:
    """Lay out the text, check the cues and write the files."""
    transcript, translation = _read(job)
    language = _language(transcript, translation)
    picture = _picture(job.inputs.info)
    limits = job.params.limits(language, picture.frame_rate if picture else None)
    options = _layout_options(job, language)
    corrections = _corrections(engine, job)
    sheet = engine.lay_out(transcript, translation, limits, options, corrections)
    own_kind = options.kept.kind if options.kept else "full"
    sheet = sheet.model_copy(update={"kind": own_kind if job.params.kind == "full" else job.params.kind})
    report = with_changed_sources(engine.check(sheet, limits, transcript.duration_ms), sheet, corrections.pins)
    report = with_unsure_translations(report, sheet, transcript, translation)
    typed = {
        read.format: path.read_bytes()  # as the user typed it: it may hold more than a cue can
        for path, read in zip(job.inputs.edited, corrections.read, strict=True)
        if engine.is_same(sheet, read)
    }
    files: dict[Format, bytes] = {}
    for kind in dict.fromkeys(job.params.formats):
        if kind in typed:
            files[kind] = typed[kind]
            continue
        try:
            files[kind] = _text(kind, sheet, transcript, translation, engine, picture).encode()
            if lost := engine.lost(sheet, kind):
                job.warn(f"the {kind} file in {language} goes without {lost}: the format cannot hold them")
        except StageError as error:  # the other formats are still written
            job.warn(f"no {kind} file in {language}: {error.message}")
    outputs = _write(job, sheet, files, report)
    job.note("on_shot_changes", on_changes(sheet.cues, options.changes_ms, limits.gap_ms))
    for broken in report.broken:
        if broken.severity == "error":
            job.note(f"over_{broken.rule.replace('-', '_')}", broken.count)
    return outputs


def _corrections(engine: Engine, job: SubtitleJob) -> Corrections:
    files = [engine.read(path) for path in job.inputs.edited]
    for file in files:
        for repair in file.repairs:
            job.warn(f"in the corrected subtitles, {repair}")
        if file.left_out:
            named = ", ".join(file.left_out[:_MOST_NAMED])
            job.warn(f"the corrected subtitles hold what only their own file keeps: {named}")
    return Corrections(Pins.read(job.inputs.pins).pins if job.inputs.pins else (), files)


def with_changed_sources(report: QualityReport, sheet: CueSheet, pins: Sequence[Pin]) -> QualityReport:
    """Return the report with a warning for each corrected translation whose source sentence has changed since."""
    offenders = []
    for pin in pins:
        cues = pin.cues or pin.before
        start_ms, end_ms = cues[0].start_ms, cues[-1].end_ms
        number = next((n for n, cue in enumerate(sheet.cues, 1) if cue.start_ms < end_ms and cue.end_ms > start_ms), 0)
        if pin.source_now is not None and number:
            text = " / ".join(sheet.cues[number - 1].lines)
            reason = f"corrected for `{pin.source}`, which is now `{pin.source_now}`"
            offenders.append(Offender(number=number, start_ms=start_ms, found=1, text=text, reason=reason))
    if not offenders:
        return report
    changed = Broken(
        rule="source-changed", severity="warning", limit=0, count=len(offenders), worst=tuple(offenders),
        meaning="corrected translations whose source sentence has changed since",
    )  # fmt: skip
    return report.model_copy(update={"broken": (*report.broken, changed)})


def with_unsure_translations(
    report: QualityReport, sheet: CueSheet, transcript: Transcript, translation: Translation | None
) -> QualityReport:
    """Return the report with a warning for each cue whose translation the model itself is unsure of."""
    unsure_ids = {segment.id for segment in translation.segments if segment.unsure} if translation else set()
    unsure_segments = [segment for segment in transcript.segments if segment.id in unsure_ids]
    offenders = tuple(
        Offender(number=number, start_ms=cue.start_ms, found=1, text=" / ".join(cue.lines))
        for number, cue in enumerate(sheet.cues, 1)
        if (spoken := cue.spoken)
        and any(seg.start_ms < spoken.end_ms and seg.end_ms > spoken.start_ms for seg in unsure_segments)
    )
    if not offenders:
        return report
    unsure = Broken(
        rule=UNSURE_TRANSLATION, severity="warning", limit=0, count=len(offenders), worst=offenders,
        meaning="translations that the model itself is unsure of",
    )  # fmt: skip
    return report.model_copy(update={"broken": (*report.broken, unsure)})


def _layout_options(job: SubtitleJob, language: str) -> LayoutOptions:
    params, inputs = job.params, job.inputs
    for_sdh = params.kind == "sdh"
    label_words = entry_for(params.label_words, language, {})
    kept = KeptCues.read(inputs.kept) if inputs.kept else None
    return LayoutOptions(
        joining=params.joining_words_in(language),
        changes_ms=Shots.read(inputs.shots).changes_ms if inputs.shots else (),
        songs=params.songs,
        numbers=entry_for(params.number_words, language, ()) if params.write_out_numbers else (),
        labels=Labels.read(inputs.labels).labels if inputs.labels and for_sdh else (),
        music=label_words.get("music", "music"),
        # An existing subtitle names its speakers itself.
        speaker=label_words.get("speaker", "Speaker") if for_sdh and not kept else None,
        kept=kept,
        relayout=params.relayout,
    )


def _text(
    kind: Format, sheet: CueSheet, transcript: Transcript, translation: Translation | None, engine: Engine,
    picture: Track | None,
) -> str:  # fmt: skip
    if kind == "json":
        return sheet.as_text()
    if kind == "whisper":
        return engine.whisper(transcript, translation)
    return engine.render(sheet, kind, picture.aspect if picture else None)


def on_changes(cues: Sequence[Cue], changes_ms: Sequence[int], gap_ms: int) -> int:
    """Return how many cues begin at a shot change or end `gap_ms` before one."""
    begin, end = set(changes_ms), {change - gap_ms for change in changes_ms}
    return sum(cue.start_ms in begin or cue.end_ms in end for cue in cues)


def stub(job: SubtitleJob) -> SubtitleOutputs:
    """Write a cue for each segment, and files with their marked text. A corrected file stays as it is."""
    transcript, translation = _read(job)
    texts = {segment.id: segment.text for segment in translation.segments} if translation else {}
    cues = tuple(
        Cue(start_ms=segment.start_ms, end_ms=segment.end_ms, lines=(text,), speaker=segment.speaker)
        for segment in transcript.segments
        if (text := texts.get(segment.id, segment.text if translation is None else "").strip())
    )
    sheet = CueSheet(language=_language(transcript, translation), kind=job.params.kind, cues=cues)
    report = QualityReport(language=sheet.language, cues=len(cues), over_limits=0, broken=())
    files = {kind: stub_file(sheet, kind).encode() for kind in job.params.formats}
    for content in (path.read_bytes() for path in job.inputs.edited):
        kind: Format = "vtt" if content.startswith(b"WEBVTT") else "json" if content.startswith(b"{") else "srt"
        if kind in files:
            files[kind] = content
    return _write(job, sheet, files, report)


def _read(job: SubtitleJob) -> tuple[Transcript, Translation | None]:
    translation = Translation.read(job.inputs.translation) if job.inputs.translation else None
    return Transcript.read(job.inputs.transcript), translation


def _language(transcript: Transcript, translation: Translation | None) -> str:
    return translation.target if translation else transcript.language


def _picture(info: Path | None) -> Track | None:
    """Return the first video track; None if the media file has none."""
    return Media.read(info).picture if info else None


def _write(job: SubtitleJob, sheet: CueSheet, texts: Mapping[Format, bytes], report: QualityReport) -> SubtitleOutputs:
    job.note("language", sheet.language)
    job.note("cues", report.cues)
    job.note("over_limits", report.over_limits)
    job.note("kind", sheet.kind)
    files = []
    for kind, text in texts.items():
        files.append(job.out_dir / _NAMES.get(kind, f"subtitles.{kind}"))
        write_atomically(files[-1], text)
    return SubtitleOutputs(
        cues=sheet.write(job.out_dir / "cues.json"),
        report=report.write(job.out_dir / "report.json"),
        files=tuple(files),
    )


STAGE = Stage(
    name="subtitle",
    version=18,
    summary="lay text out as subtitles and write the files",
    inputs=SubtitleInputs,
    params=SubtitleParams,
    outputs=SubtitleOutputs,
    backends={
        "pysubs2": Backend(
            module="stages.subtitle.layout",
            environment="lite",
            summary="the project's own layout; files by pysubs2 and ttconv",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
