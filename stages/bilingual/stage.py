"""Show two languages in one subtitle, for learners: each cue has the lines of both, one above the other.

The cues are those of the spoken language, with the words of the other language added to each. The lines of each
language have the limits of that language.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from shared.documents.cue import CueSheet
from shared.documents.media import Media
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Resources, Stage
from shared.text.guide_limits import GuideParams, Limits
from shared.text.joining_words import JoiningParams, JoiningWords
from shared.text.stub_subtitles import stub_file

Format = Literal["srt", "vtt", "ass"]
Order = Literal["source-above", "source-below"]


class BilingualInputs(Files):
    """`cues` and `translated`: `shared.documents.cue.CueSheet` in the spoken language and in the other one; `info`:
    `shared.documents.media.Media`, for the shape of its picture."""

    cues: Path
    translated: Path
    info: Path | None = None


class BilingualParams(GuideParams, JoiningParams):
    """The order of the languages, and the files to write."""

    order: Order = Field("source-above", description="whether the spoken language is above the other one, or below it")
    formats: tuple[Format, ...] = Field(("srt", "vtt"), description="the files to write")


class BilingualOutputs(Files):
    """`cues`: `shared.documents.cue.CueSheet` with the lines of both; `files`: the same in each of the formats."""

    cues: Path
    files: tuple[Path, ...] = ()


BilingualJob = Job[BilingualInputs, BilingualParams]


class Engine(Protocol):
    """A backend: it combines two sheets, and renders the result."""

    def combine(
        self, cues: CueSheet, translated: CueSheet, order: Order, limits: Limits, joining: JoiningWords
    ) -> CueSheet: ...
    def render(self, sheet: CueSheet, kind: str, aspect: float | None) -> str: ...


def run(engine: Engine, job: BilingualJob) -> BilingualOutputs:
    """Combine the two languages, and write the files."""
    cues, translated = CueSheet.read(job.inputs.cues), CueSheet.read(job.inputs.translated)
    language = translated.language
    joining = job.params.joining_words_in(language)
    sheet = engine.combine(cues, translated, job.params.order, job.params.limits(language), joining)
    picture = Media.read(job.inputs.info).picture if job.inputs.info else None
    texts = {kind: engine.render(sheet, kind, picture.aspect if picture else None) for kind in job.params.formats}
    return _write(job, sheet, texts)


def stub(job: BilingualJob) -> BilingualOutputs:
    """Write the cues of the spoken language, and files with their marked text."""
    sheet = CueSheet.read(job.inputs.cues)
    return _write(job, sheet, {kind: stub_file(sheet, kind) for kind in job.params.formats})


def _write(job: BilingualJob, sheet: CueSheet, texts: dict[Format, str]) -> BilingualOutputs:
    job.note("language", CueSheet.read(job.inputs.translated).language)
    job.note("cues", len(sheet.cues))
    files = []
    for kind, text in texts.items():
        files.append(job.out_dir / f"subtitles.{kind}")
        write_atomically(files[-1], text.encode())
    return BilingualOutputs(cues=sheet.write(job.out_dir / "cues.json"), files=tuple(files))


STAGE = Stage(
    name="bilingual",
    version=2,
    summary="show two languages in one subtitle",
    inputs=BilingualInputs,
    params=BilingualParams,
    outputs=BilingualOutputs,
    backends={
        "pysubs2": Backend(
            module="stages.bilingual.pairs",
            environment="lite",
            summary="the project's own pairing; files by pysubs2",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
