"""cuBLAS from its wheel: found in the environment, loaded under the name by which CTranslate2 asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

_SCRIPT = """
import ctypes, sys
sys.path[:0] = sys.argv[1:]
from stages.toolkit.card.cublas import load_cublas
print(load_cublas(), "libcublas.so.12" in open("/proc/self/maps").read())
"""


def _loads(*folders: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SCRIPT, str(ROOT), *map(str, folders)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is read from /proc")
def test_the_library_of_the_wheel_is_loaded_where_there_is_one(tmp_path: Path) -> None:
    """Any library stands in for it here: what counts is that the file of the wheel is loaded."""
    assert _loads(tmp_path) == "False False"
    folder = tmp_path / "nvidia" / "cublas" / "lib"
    folder.mkdir(parents=True)
    assert _loads(tmp_path) == "False False"
    some = next(Path("/lib").glob("*/libm.so.6"), None) or Path("/lib64/libm.so.6")
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        (folder / name).write_bytes(some.read_bytes())
    assert _loads(tmp_path) == "True True"
