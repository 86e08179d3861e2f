"""The manual page: complete, and free of what a formatter complains about."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from docs.generate import REFERENCE
from docs.man_page import _line, _text, man_page
from pipeline.cli.options.commands import COMMANDS, arguments_of
from pipeline.cli.options.declare import Arguments, flags_of
from pipeline.cli.parser import usage_of

PAGE = REFERENCE / "reel.1"


def test_the_page_names_every_command_with_its_flags() -> None:
    page = man_page()
    for command in COMMANDS:
        part = page.partition(f"\n.SS {_line(usage_of(command))}\n")[2].partition("\n.S")[0]
        assert part, command.name
        for flag in flags_of(arguments_of(command)):
            for spelling in flag.spellings:
                assert _line(spelling) in part or flag in flags_of(Arguments), f"{command.name}: {spelling}"


@pytest.mark.parametrize("tool", ["mandoc -T lint -W style", "man --warnings -l"])
def test_no_formatter_complains(tool: str) -> None:
    words = tool.split()
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not here: Debian's packages mandoc and man-db have them")
    environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "80"}
    done = subprocess.run([*words, PAGE], capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    if words[0] == "man":
        shown = re.sub(".\b", "", done.stdout)
        assert "reel run [FILE...] [FLAGS]" in shown
        assert "--skip-existing" in shown
    else:
        assert done.stdout == ""


def test_what_a_formatter_could_take_for_a_command_of_its_own_is_text() -> None:
    assert _text(".TH x") == r"\&.TH x"
    assert _text("'quoted") == r"\&'quoted"
    assert _text(r"a\b --set `x`") == r"a\eb \-\-set \(gax\(ga"
