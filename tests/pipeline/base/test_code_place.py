"""The place in our code that a traceback leads to."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.code_place import place_in_code

_HERE = Path(__file__)


def _text(act: Callable[[], object]) -> str:
    try:
        act()
    except Exception:  # noqa: BLE001 - any of them
        return traceback.format_exc()
    raise AssertionError("it does not fail")


def test_an_error_in_a_library_is_placed_where_our_code_called_it() -> None:
    place = place_in_code(_text(lambda: Path(0)), _HERE.parent)  # type: ignore[arg-type]
    assert place is not None
    file, line = place.split(":")
    assert file == _HERE.name
    assert "Path(0)" in _HERE.read_text(encoding="utf-8").splitlines()[int(line) - 1]


def test_a_mistake_in_the_grammar_is_placed_in_its_file(tmp_path: Path) -> None:
    broken = tmp_path / "stages" / "vad" / "loud.py"
    text = _text(lambda: compile("x = 1\ndef (", str(broken), "exec"))
    assert place_in_code(text, tmp_path) == "stages/vad/loud.py:2"


@pytest.mark.parametrize("module", ["lib/site-packages/numpy/core.py", "../elsewhere.py"])
def test_code_that_is_not_ours_is_no_place(module: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert place_in_code(f'  File "{root / module}", line 7, in f\n', root / "inside") is None


def test_the_worker_itself_is_a_place_only_without_another(tmp_path: Path) -> None:
    worker = f'  File "{tmp_path / "shared" / "worker_main.py"}", line 12, in run\n'
    stage = f'  File "{tmp_path / "stages" / "vad" / "stage.py"}", line 3, in run\n'
    assert place_in_code(worker, tmp_path) == "shared/worker_main.py:12"
    assert place_in_code(stage + worker, tmp_path) == "stages/vad/stage.py:3"
