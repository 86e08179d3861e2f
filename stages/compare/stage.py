"""Compare subtitles with a reference made by a person: words, breaks and times in one measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from shared.documents.cue import Cue, CueSheet
from shared.documents.quality_report import Comparison
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.text.language import primary


class CompareInputs(Files):
    """`subtitles` and `reference`: cue sheets."""

    subtitles: Path
    reference: Path


class CompareParams(Params):
    """The stage has no parameters."""


class CompareOutputs(Files):
    """`comparison`: `shared.documents.quality_report.Comparison`."""

    comparison: Path


CompareJob = Job[CompareInputs, CompareParams]


class Engine(Protocol):
    """A backend: it computes the edit rate in percent. `uncut` are the languages that it cannot divide into words."""

    uncut: frozenset[str]

    def rate(self, cues: Sequence[Cue], reference: Sequence[Cue], language: str, *, cased: bool) -> float: ...


def run(engine: Engine, job: CompareJob) -> CompareOutputs:
    """Compare without and with case and punctuation. Raises `StageError` for a language that cannot be compared."""
    sheet, reference = CueSheet.read(job.inputs.subtitles), CueSheet.read(job.inputs.reference)
    if (language := primary(sheet.language)) in engine.uncut:
        raise StageError(
            "compare.language", f"words of {sheet.language} cannot be told apart here, and SubER counts words",
            "leave `--reference` out",
        )  # fmt: skip
    rates = [engine.rate(sheet.cues, reference.cues, language, cased=cased) for cased in (False, True)]
    return _write(job, Comparison(reference_cues=len(reference.cues), suber=rates[0], suber_cased=rates[1]))


def stub(job: CompareJob) -> CompareOutputs:
    """Write a comparison without differences; only a backend counts them."""
    return _write(job, Comparison(reference_cues=0, suber=0.0, suber_cased=0.0))


def _write(job: CompareJob, comparison: Comparison) -> CompareOutputs:
    job.note("suber", comparison.suber)
    job.note("suber_cased", comparison.suber_cased)
    return CompareOutputs(comparison=comparison.write(job.out_dir / "comparison.json"))


STAGE = Stage(
    name="compare",
    version=1,
    summary="compare subtitles with a reference",
    inputs=CompareInputs,
    params=CompareParams,
    outputs=CompareOutputs,
    backends={
        "suber": Backend(
            module="stages.compare.suber",
            environment="suber",
            summary="SubER, the subtitle edit rate, by its authors' package (Apache-2.0)",
            resources=Resources(cpus=1, memory_gib=1.0),
        ),
    },
    run=run,
    stub=stub,
)
