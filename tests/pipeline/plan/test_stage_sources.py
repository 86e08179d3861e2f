"""Changed code of a stage is noticed; comments, other stages and other line ends change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT, STAGE_PINS
from pipeline.plan.registry import STAGES
from pipeline.plan.stage_sources import (
    Pin,
    Pins,
    byte_digest,
    changed_sources,
    code_digest,
    read_pins,
    source_digest,
    sources,
)
from shared.stage import Stage
from tests.fakes import misbehave

_FILES = {
    "stages/one/stage.py": "from stages.one import helper\nimport shared.text.words\n",
    "stages/one/helper.py": '"""Help."""\nfrom stages.toolkit.tool import tool\n\nx = 1  # one\n',
    "stages/two/stage.py": "x = 1\n",
    "stages/toolkit/tool.py": "def tool() -> int:\n    return 1\n",
    "shared/text/words.py": "WORDS = 1\n",
    "shared/protocol.py": "x = 1\n",
}


def _stage(name: str) -> Stage:
    def run(engine: object, job: object) -> misbehave.MisbehaveOutputs:
        raise AssertionError

    run.__module__ = f"stages.{name}.stage"
    return replace(misbehave.STAGE, name=name, run=run, backends={})


_STAGES = [_stage("one"), _stage("two")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in _FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _pinned(root: Path) -> Pins:
    paths = {stage.name: sources(stage, root) for stage in _STAGES}
    names = {name: tuple(path.relative_to(root).as_posix() for path in found) for name, found in paths.items()}
    stages = {stage.name: Pin(1, source_digest(stage, root), names[stage.name]) for stage in _STAGES}
    every = {name for found in names.values() for name in found}
    return Pins(stages, {name: (byte_digest(root / name), code_digest(root / name)) for name in every})


def test_the_code_of_this_checkout_is_as_pinned() -> None:
    assert changed_sources(STAGES.values(), CODE_ROOT, read_pins(STAGE_PINS)) == {}


@pytest.mark.parametrize(
    ("file", "change", "changed"),
    [
        ("stages/one/helper.py", lambda text: text.replace("x = 1", "x = 2"), {"one"}),
        ("stages/toolkit/tool.py", lambda text: text.replace("1", "2"), {"one"}),
        ("shared/text/words.py", lambda text: text.replace("1", "2"), {"one"}),
        ("stages/two/stage.py", lambda text: f"import os\n{text}", {"two"}),
        ("stages/one/helper.py", lambda text: text.replace("# one", "# the first"), set()),
        ("stages/one/helper.py", lambda text: text.replace("Help.", "Help well.") + "\n\n", set()),
        ("stages/one/helper.py", lambda text: text.replace("\n", "\r\n"), set()),
        ("shared/protocol.py", lambda text: text.replace("1", "2"), set()),
        ("stages/one/unused.py", lambda text: "x = 1\n", set()),
    ],
)
def test_code_counts_and_what_cannot_change_a_result_does_not(
    tree: Path, file: str, change: Callable[[str], str], changed: set[str]
) -> None:
    pins = _pinned(tree)
    assert changed_sources(_STAGES, tree, pins) == {}
    before = (tree / file).read_text(encoding="utf-8") if (tree / file).exists() else ""
    (tree / file).write_bytes(change(before).encode())
    assert changed_sources(_STAGES, tree, pins).keys() == changed


def test_each_change_of_a_module_that_a_change_has_added_counts_too(tree: Path) -> None:
    pins = _pinned(tree)
    (tree / "stages/two/stage.py").write_text("from stages.two import new\n", encoding="utf-8")
    digests = set()
    for text in ("x = 1\n", "x = 2\n"):
        (tree / "stages/two/new.py").write_text(text, encoding="utf-8")
        digests.add(changed_sources(_STAGES, tree, pins)["two"])
    assert len(digests) == 2


def test_a_stage_without_a_pin_or_with_another_version_counts_as_changed(tree: Path) -> None:
    pins = _pinned(tree)
    assert changed_sources([_stage("one")], tree, Pins({}, {})).keys() == {"one"}
    assert changed_sources([replace(_stage("one"), version=2)], tree, pins).keys() == {"one"}
    assert read_pins(tree / "none.json") == Pins({}, {})
