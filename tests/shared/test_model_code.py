"""Code that a model brings along runs as the lock knows it, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.model_code import check_code, pinned_code
from shared.stage import StageError

CODE = {"modeling.py": b"class Model: ...\n", "tokenization.py": b"class Tokenizer: ...\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in CODE.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


PINNED = pinned_code("en-indic", {name: hashlib.sha256(content).hexdigest() for name, content in CODE.items()})


def test_code_that_is_as_it_was_pinned_may_run(folder: Path) -> None:
    check_code(folder, "en-indic", PINNED)


def _change(folder: Path) -> None:
    (folder / "modeling.py").write_bytes(CODE["modeling.py"].replace(b"Model", b"Other"))


def _add(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "more.py").write_text("")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_change, "modeling.py has the sha256"),
        (_add, "more.py is no part of it"),
        (lambda folder: (folder / "tokenization.py").unlink(), "tokenization.py is missing"),
    ],
)
def test_anything_else_is_refused_by_name(folder: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(folder)
    with pytest.raises(StageError) as refusal:
        check_code(folder, "en-indic", PINNED)
    assert refusal.value.code == "model.code"
    assert said in refusal.value.message


def test_code_that_nobody_pinned_is_refused(folder: Path) -> None:
    with pytest.raises(StageError, match="is no part of it"):
        check_code(folder, "indic-en", PINNED)
