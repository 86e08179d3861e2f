"""Every file of ours that is opened as text names its encoding."""

from __future__ import annotations

import ast

import pytest

from tests.source_tree import PACKAGES, name_of, nodes_of, python_files


def test_every_file_that_is_opened_as_text_has_an_encoding_of_its_own() -> None:
    """Else it is that of the user's locale, which may hold neither our languages nor the user's names."""
    lacking = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files(*PACKAGES, "src", "benchmarks", "docs", "samples", "scripts")
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and _is_text(node) and not _named(node, "encoding")
    ]
    assert not lacking, lacking


_FIRST_TEXT = {"read_text": 0, "write_text": 1}  # how many words come before the encoding
_OPENERS = {
    "open": "r",
    "fdopen": "r",
    "NamedTemporaryFile": "w+b",
    "TemporaryFile": "w+b",
    "SpooledTemporaryFile": "w+b",
}
_OTHERS_OPEN = {"wave", "tarfile", "zipfile", "archive", "_opener", "av", "Image", "webbrowser"}


def _is_text(call: ast.Call) -> bool:
    """Tell whether the call reads or writes text: a file, or the words of a process."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
    if name in _FIRST_TEXT:
        return len(call.args) <= _FIRST_TEXT[name]
    if name in _OPENERS and owner not in _OTHERS_OPEN and not (owner == "os" and name == "open"):
        place = {"open": 0 if owner else 1, "fdopen": 1}.get(name, 0)
        mode = _named(call, "mode") or (call.args[place] if len(call.args) > place else None)
        if mode is None:
            return "b" not in _OPENERS[name]
        return isinstance(mode, ast.Constant) and "b" not in str(mode.value)  # else another kind of `open`
    words = [_named(call, word) for word in ("text", "universal_newlines")]
    return owner == "subprocess" and any(isinstance(word, ast.Constant) and word.value is True for word in words)


def _named(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("path.read_text()", True), ("path.read_text('utf-8')", False), ("path.write_text(x)", True),
        ("open(path)", True), ("open(path, 'rb')", False), ("path.open('w')", True), ("os.open(path, 1)", False),
        ("os.fdopen(1)", True), ("tempfile.TemporaryFile()", False), ("tempfile.TemporaryFile('w+')", True),
        ("subprocess.run(x, text=True)", True), ("subprocess.run(x)", False), ("wave.open(path)", False),
        ("tag.open(name, {})", False),
    ],
)  # fmt: skip
def test_a_file_is_known_to_be_opened_as_text(code: str, text: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert _is_text(call) is text
