"""A module in place of a library, for the processes that a module of ours starts."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shared.environment_manager import child_environment


def provide_library(name: str, text: str, folder: Path, starter: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processes that `starter` starts find a module of this name and text, in `folder`."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")

    def with_library(*places: Any, **options: Any) -> dict[str, str]:
        variables = child_environment(*places, **options)
        return variables | {"PYTHONPATH": os.pathsep.join([variables["PYTHONPATH"], str(folder)])}

    monkeypatch.setattr(starter, "child_environment", with_library)
