"""Code that a model brings along runs as the lock knows it, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.remote_code import check_code, pinned_code
from shared.stage import StageError

CODE = {"modeling.py": b"class Model: ...\n", "tokenization.py": b"class Tokenizer: ...\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in CODE.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    return tmp_path


PINNED = pinned_code("en-indic", {name: hashlib.sha256(content).hexdigest() for name, content in CODE.items()})


def test_code_that_is_as_it_was_pinned_may_run(folder: Path) -> None:
    check_code(folder, "en-indic", PINNED)


def _change(folder: Path) -> None:
    (folder / "modeling.py").write_bytes(CODE["modeling.py"].replace(b"Model", b"Other"))


def _add(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "more.py").write_text("", encoding="utf-8")


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


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "embedding/pytorch_model.bin", "a.pt", "a.pth", "955717e8.th", "x.ckpt", "v2.nemo"]
)
def test_a_pickle_is_pinned_too_and_refused_when_it_has_changed(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"weights")
    pinned = pinned_code("embedder", {name: hashlib.sha256(b"weights").hexdigest(), "config.json": "0" * 64})
    check_code(tmp_path, "embedder", pinned)
    file.write_bytes(b"Weights")
    with pytest.raises(StageError, match="has the sha256"):
        check_code(tmp_path, "embedder", pinned)


def test_what_cannot_run_code_is_not_read_at_all(tmp_path: Path) -> None:
    digests = dict.fromkeys(("model.bin", "model.safetensors", "weights.npz", "model.onnx", "a.json"), "0" * 64)
    assert pinned_code("whisper", digests) == {}
    (tmp_path / "helper.py").write_text("", encoding="utf-8")  # whoever brings no Python has none imported either
    check_code(tmp_path, "whisper", {})
