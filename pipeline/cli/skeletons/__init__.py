"""Skeletons for developers: a new stage, or a new backend of a stage, that works as soon as it is written."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path

from pipeline.base.errors import BadInput, UsageError
from pipeline.base.launcher import INSTALLED
from shared.files import write_atomically

_STAGE, _BACKEND = re.compile(r"[a-z][a-z0-9_]*"), re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 30  # letters; a longer name would make lines of a skeleton too long


@dataclass(frozen=True)
class Skeleton:
    """New files and changed files, each as a path inside the project with its text, and the next steps: commands, each
    with its purpose."""

    written: Mapping[str, str]
    changed: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[tuple[str, str], ...] = ()


def check_stage_name(name: str, taken: Container[str]) -> None:
    """Raise `UsageError` unless a new stage can have this name. `taken` are the names in use."""
    _check(name, _STAGE, "a stage: expected up to 30 lower-case letters, digits and `_`", taken)


def check_backend_name(name: str, taken: Container[str]) -> None:
    """Raise `UsageError` unless a new backend can have this name. `taken` are the names in use."""
    expected = "a backend: expected up to 30 lower-case letters and digits, with single dashes, as in `faster-whisper`"
    _check(name, _BACKEND, expected, taken)


def _check(name: str, form: re.Pattern[str], expected: str, taken: Container[str]) -> None:
    if INSTALLED:
        raise UsageError(
            "skeleton.installed",
            "a stage is written in a checkout, and this reel is installed as a package",
            hint="clone the repository, and run the same command there with `./` in front of it",
        )
    if not form.fullmatch(name) or len(name) > _LONGEST or iskeyword(name.replace("-", "_")):
        hint = "it becomes the name of a module and of a folder"
        raise UsageError("skeleton.name", f"`{name}` cannot be the name of {expected}", hint=hint)
    if name in taken:
        hint = "take another name; `./reel stages list` shows those that there are"
        raise UsageError("skeleton.taken", f"the name `{name}` is in use already", hint=hint)


def write_skeleton(root: Path, skeleton: Skeleton) -> None:
    """Write the new files, then the changed ones. Raises `BadInput`, before anything is written, if a new file exists
    already."""
    for name in skeleton.written:
        if (root / name).exists():
            raise BadInput("skeleton.exists", f"{name} is there already", hint="move it away, or take another name")
    for name, text in {**skeleton.written, **skeleton.changed}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(root / name, text.encode())


def class_name(name: str) -> str:
    """Turn `my_stage` and `my-stage` into `MyStage`."""
    return "".join(part.capitalize() for part in re.split("[-_]", name))
