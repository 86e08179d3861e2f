"""The skeleton of a stage: its declaration, a backend without a library, tests, a recipe, and a job for the tests."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Template

from pipeline.cli.skeletons import Skeleton, class_name
from pipeline.cli.skeletons.python_source import assigned, with_last

CASES = "tests/real/cases.py"
BACKEND = "plain"
PIN = ".venvs/test/bin/python -m tests.pin_stage_versions"

_CONTRACT = Template('''\
"""Count the words of each speaker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.transcript import Transcript
from shared.files import write_atomically
from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Params, Resources, Stage


class ${title}Inputs(Files):
    """`transcript`: `shared.documents.transcript.Transcript`, with words."""

    transcript: Path


class ${title}Params(Params):
    """Decides who is listed."""

    min_words: int = Field(1, ge=0, description="leave out whoever says fewer words than this")


class ${title}Outputs(Files):
    """`report`: plain text, UTF-8, one line for each speaker: the name, a tab, the number of words."""

    report: Path


${title}Job = Job[${title}Inputs, ${title}Params]


class Engine(Protocol):
    """A backend."""

    def count(self, transcript: Transcript) -> Mapping[str, int]: ...


def run(engine: Engine, job: ${title}Job) -> ${title}Outputs:
    """Write the report of a transcript."""
    return _write(job, engine.count(Transcript.read(job.inputs.transcript)))


def stub(job: ${title}Job) -> ${title}Outputs:
    """Write a report about one speaker who does not exist, to try everything around the stage."""
    return _write(job, {"SPEAKER_00": job.params.min_words})


def _write(job: ${title}Job, counts: Mapping[str, int]) -> ${title}Outputs:
    kept = {speaker: words for speaker, words in sorted(counts.items()) if words >= job.params.min_words}
    job.note("speakers", len(kept))
    report = job.out_dir / "report.txt"
    write_atomically(report, "".join(f"{speaker}\\t{words}\\n" for speaker, words in kept.items()).encode())
    return ${title}Outputs(report=report)


STAGE = Stage(
    name="${name}",
    version=1,
    summary="count the words of each speaker",
    inputs=${title}Inputs,
    params=${title}Params,
    outputs=${title}Outputs,
    backends={
        "${backend}": Backend(
            module="stages.${name}.${backend}",
            environment=CORE_ENVIRONMENT,
            summary="needs no library",
            resources=Resources(cpus=1, memory_gib=0.2),
        ),
    },
    run=run,
    stub=stub,
)
''')

_PLAIN = Template('''\
"""Words counted by the speaker that each has in the transcript; needs no library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from shared.documents.transcript import Transcript
from shared.stage import Device

UNKNOWN = "unknown"


class PlainEngine:
    """Holds nothing."""

    def count(self, transcript: Transcript) -> Mapping[str, int]:
        """Return the number of words of each speaker."""
        return Counter(word.speaker or UNKNOWN for segment in transcript.segments for word in segment.words)


def load(models: Mapping[str, Path], device: Device) -> PlainEngine:
    """Do nothing: this backend has no model."""
    return PlainEngine()
''')

_TEST = Template('''\
"""The words of each speaker: who is counted, and who is left out."""

from __future__ import annotations

from pathlib import Path

from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Job
from stages.${name} import stage
from stages.${name}.${backend} import UNKNOWN, PlainEngine


class _Listener:
    def progress(self, done: float) -> None: ...
    def warning(self, text: str) -> None: ...
    def partial(self, start_ms: int, end_ms: int, text: str) -> None: ...


def job(folder: Path, min_words: int = 1) -> stage.${title}Job:
    speakers = ("SPEAKER_00", "SPEAKER_00", None)
    words = tuple(Word(text="so", start_ms=0, end_ms=9, probability=1.0, speaker=speaker) for speaker in speakers)
    segment = Segment(id=0, text="so so so", start_ms=0, end_ms=9, words=words)
    said = Transcript(language="en", language_probability=1.0, duration_ms=9, segments=(segment,))
    inputs = stage.${title}Inputs(transcript=said.write(folder / "transcript.json"))
    return Job(inputs, stage.${title}Params(min_words=min_words), folder, "${backend}", _Listener())


def test_each_speaker_has_a_line_and_a_word_without_one_is_counted_too(tmp_path: Path) -> None:
    report = stage.run(PlainEngine(), job(tmp_path)).report.read_text(encoding="utf-8")
    assert report.splitlines() == ["SPEAKER_00\\t2", f"{UNKNOWN}\\t1"]


def test_whoever_says_too_little_is_left_out(tmp_path: Path) -> None:
    work = job(tmp_path, min_words=2)
    assert stage.run(PlainEngine(), work).report.read_text(encoding="utf-8") == "SPEAKER_00\\t2\\n"
    assert work.facts == {"speakers": 1}


def test_the_stub_writes_a_report_as_well(tmp_path: Path) -> None:
    assert stage.stub(job(tmp_path)).report.read_text(encoding="utf-8") == "SPEAKER_00\\t1\\n"
''')

_RECIPE = Template("""\
summary = "a transcript, and how many words each speaker says"
extends = "transcribe"

[steps.${name}]
stage = "${name}"
inputs = { transcript = "refine.transcript" }

[[publish]]
file = "refine.transcript"
as = "transcript.json"

[[publish]]
file = "${name}.report"
as = "{name}.${name}.txt"
""")

_CASE = Template("""\
    Case("${name}", "${backend}", lambda made: ({"transcript": made.said}, {})),
""")


def new_stage(name: str, root: Path) -> Skeleton:
    """Return the skeleton of the stage `name` for the project in `root`."""
    words = {"name": name, "title": class_name(name), "backend": BACKEND}
    written = {
        f"stages/{name}/__init__.py": '"""Count the words of each speaker."""\n',
        f"stages/{name}/stage.py": _CONTRACT.substitute(words),
        f"stages/{name}/{BACKEND}.py": _PLAIN.substitute(words),
        f"tests/stages/{name}/test_{name}.py": _TEST.substitute(words),
        f"stages/{name}/recipe.toml": _RECIPE.substitute(words),
    }
    text = (root / CASES).read_text(encoding="utf-8") if (root / CASES).is_file() else ""
    cases = assigned(ast.parse(text), "CASES")
    changed = {CASES: with_last(text, cases, _CASE.substitute(words))} if cases else {}
    steps = (
        (
            f"./reel run samples/demo.mp4 --recipe stages/{name}/recipe.toml --stub",
            "among other stages, without a model",
        ),
        (f"./reel stage {name} out/demo/transcript.json -o parts", "alone, on a file"),
        (f"./scripts/test --no-checks -q tests/stages/{name}", "its tests"),
        (PIN, "record its version with its sources"),
        ("./scripts/docs", "write its reference"),
    )
    return Skeleton(written, changed, steps)
