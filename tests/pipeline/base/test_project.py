"""The folders that settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG, project_folders
from pipeline.base.settings import load_settings

FOLDERS = ("output_dir", "cache_dir", "results_dir", "index_dir", "environments_dir", "own_models_dir")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Return a folder with a file and a link to itself."""
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    return tmp_path


def named(setting: str, value: str) -> Path:
    settings, _ = load_settings(CONFIG / "defaults.toml", Path("none.toml"), {}, {setting: value})
    folders = project_folders(settings)
    return Path(getattr(folders, setting.removesuffix("_dir")))


@pytest.mark.parametrize("setting", FOLDERS)
@pytest.mark.parametrize("value", ["file", "file/below", "circle", "circle/below", "x" * 300, "~such-a-user/reel"])
def test_a_folder_that_cannot_be_is_refused_with_the_name_of_its_setting(odd: Path, setting: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"`{setting}`") as refused:
        named(setting, value if value.startswith("~") else f"{odd}/{value}")
    assert refused.value.code == "settings.value"


@pytest.mark.parametrize("setting", FOLDERS)
@pytest.mark.parametrize("value", ["", "new", "new/below/new"])
def test_a_folder_may_be_there_or_not(odd: Path, setting: str, value: str) -> None:
    assert named(setting, f"{odd}/{value}") == odd / value
