"""Recipes and guides by their names, or in files of the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG, choose_project
from pipeline.plan.recipe import load_recipe
from pipeline.plan.subtitle_guides import load_guide

Load = Callable[[str, Path], object]
KINDS = pytest.mark.parametrize(("load", "kind", "known"), [
    (load_recipe, "recipe", "subtitle"), (load_guide, "guide", "netflix"),
])  # fmt: skip


@KINDS
def test_a_file_of_the_user_may_begin_with_a_mark(tmp_path: Path, load: Load, kind: str, known: str) -> None:
    folder = CONFIG / f"{kind}s"
    mine = tmp_path / "mine.toml"
    mine.write_text("\ufeff" + (folder / f"{known}.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert load(str(mine), folder) == load(known, folder)


@KINDS
@pytest.mark.parametrize(
    "name", ["", "netflx", "./mine", "mine.toml", "x" * 300, f"{'x' * 300}.toml", "a\0.toml", "sub.toml"]
)
def test_a_name_without_a_file_is_refused_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load, kind: str, known: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub.toml").mkdir()
    with pytest.raises(UsageError, match=f"(there is no|the) {kind} `") as refused:
        load(name, CONFIG / f"{kind}s")
    assert refused.value.code == f"{kind}.unknown"
    assert known in str(refused.value.hint)
    assert "a path to a TOML file" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["x" * 300, "~such-a-user/reel", "nowhere"])
def test_a_project_without_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--project names `") as refused:
        choose_project(name)
    assert refused.value.code == "project.missing"
