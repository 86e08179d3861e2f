"""The scripts for PowerShell, which is not on this machine: that they are what its grammar allows, and no more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from tests.conftest import ROOT
from tests.real.conftest import make_environment

GRAMMAR = ("tree-sitter==0.26.0", "tree-sitter-powershell==0.26.4")
# Prints each place where the grammar could not go on.
PARSE = """
import sys
import tree_sitter, tree_sitter_powershell
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
def wrong(node):
    if node.is_error or node.is_missing:
        print(f"line {node.start_point[0] + 1}: {node.type}")
    for child in node.children:
        wrong(child)
wrong(parser.parse(sys.stdin.buffer.read()).root_node)
"""


@pytest.fixture(scope="module")
def python(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(real_project, tmp_path_factory.mktemp("grammar") / "venv", *GRAMMAR)


def _wrong_places(python: Path, text: str) -> list[str]:
    done = subprocess.run([python, "-c", PARSE], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["bootstrap.ps1", "reel.ps1"])
def test_a_script_is_well_formed(python: Path, name: str) -> None:
    assert _wrong_places(python, (ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("damage", ["}", "if (", "'", "$("])
def test_the_parser_sees_what_is_not(python: Path, damage: str) -> None:
    script = (ROOT / "bootstrap.ps1").read_text(encoding="utf-8")
    assert _wrong_places(python, f"{script}\n{damage}\n")


@pytest.mark.parametrize("name", ["bootstrap.ps1", "reel.ps1"])
def test_a_list_that_powershell_made_of_a_word_with_commas_becomes_that_word_again(name: str) -> None:
    assert "-is [array]" in (ROOT / name).read_text(encoding="utf-8")
    assert "-join ','" in (ROOT / name).read_text(encoding="utf-8")
