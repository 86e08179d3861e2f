"""A press of Tab in real shells, on a terminal of their own."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

_LIMIT_S = 120.0  # a shell that says nothing for so long will not answer
_START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(reel completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -u -D; source <(reel completion zsh)"),
    "fish": (["fish", "-N", "-i"], "reel completion fish | source"),
}


class Shell:
    """An interactive shell on a terminal; its home and its folder are `folder`."""

    def __init__(self, words: list[str], folder: Path) -> None:
        environ = {
            "PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"), "TERM": "xterm", "COLUMNS": "200", "LANG": "C.UTF-8",
        }  # fmt: skip
        # A program of its own makes the terminal: to fork this process, which may have threads, is not safe.
        makes = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", *words]
        self._program = subprocess.Popen(
            makes, env=environ, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def types(self, text: str, until: str) -> str:
        """Type a text, and return what is shown until `until` appears."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(text.encode())
        self._program.stdin.flush()
        seen, end = b"", time.monotonic() + _LIMIT_S
        while until.encode() not in seen:
            assert time.monotonic() < end, f"expected {until!r}, the terminal shows {seen.decode(errors='replace')!r}"
            if select.select([self._program.stdout], [], [], 1.0)[0]:
                seen += os.read(self._program.stdout.fileno(), 4096)
        return seen.decode(errors="replace")

    def close(self) -> None:
        """End the shell: a terminal that is gone ends what runs on it."""
        self._program.kill()
        with self._program:
            pass


@pytest.mark.slow
@pytest.mark.parametrize("name", _START)
def test_a_press_of_tab_completes_a_name_and_a_file(name: str, tmp_path: Path) -> None:
    words, setup = _START[name]
    if not shutil.which(words[0]):
        pytest.skip(f"{name} is not here: a package {name} has it")
    (tmp_path / "film one.mkv").touch()
    program = tmp_path / "reel"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m pipeline "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    shell = Shell(words, tmp_path)
    try:
        shell.types(f"{setup}; echo REA''DY\n", "READY")
        shell.types("reel stage al\t", "align")
        shell.types("\x15reel run --profile star\t", "starter")  # Ctrl-U clears the line
        shell.types("\x15reel run fil\t", "one.mkv")
    finally:
        shell.close()
