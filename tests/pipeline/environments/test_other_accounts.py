"""A checkout that another account may read only, and an account without a home folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.base.project import home_folder
from pipeline.model_cache.hub_token import find_token
from tests.conftest import ROOT, Reel

# Root may do anything; without these capabilities it is an account like any other.
_LIKE_OTHERS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner")
ACCOUNT = _LIKE_OTHERS if os.geteuid() == 0 else ()
pytestmark = pytest.mark.skipif(bool(ACCOUNT) and not shutil.which("setpriv"), reason="root needs setpriv for this")
SYSTEM_PYTHON = Path(sys.base_prefix) / "bin" / "python3"
STUB = ("--stub", "--recipe", "transcribe")
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def closed() -> Iterator[Callable[[Path, int], None]]:
    """Take rights away from a folder and all in it, until the test ends."""
    changed: list[tuple[Path, int]] = []

    def close(folder: Path, mode: int) -> None:
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                changed.append((path, path.stat().st_mode))
        for path, _ in reversed(changed):
            path.chmod(mode)

    yield close
    for path, mode in changed:
        path.chmod(mode)


@pytest.fixture
def ask(reel: Reel, tmp_path: Path) -> Ask:
    """Return the command line as the other account, with an ffmpeg whose version is not remembered yet."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg").write_text(
        "#!/bin/sh\necho 'ffmpeg version 6.0 test: ass libx264'\n", encoding="utf-8"
    )
    (tmp_path / "bin" / "ffmpeg").chmod(0o755)
    environ = reel.environment(
        {"REEL_CACHE_DIR": str(tmp_path / "cache"), "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    )

    def asked(*arguments: str | Path, expect: int = 0, **also: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*ACCOUNT, *reel.command(*arguments)], env={**environ, **also}, cwd=tmp_path, capture_output=True,
            encoding="utf-8", stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return asked


def test_what_another_account_has_made_can_be_read_and_the_hint_says_how_to_work(
    ask: Ask, reel: Reel, tmp_path: Path, closed: Callable[[Path, int], None]
) -> None:
    film, later = tmp_path / "film.mp4", tmp_path / "later.mp4"
    film.write_bytes(b"film")
    later.write_bytes(b"later")
    (tmp_path / "cache").mkdir()
    reel("run", film, *STUB)
    closed(reel.results, 0o555)
    closed(tmp_path / "cache", 0o555)

    assert "reused" in ask("plan", film, *STUB).stdout
    assert "done" in ask("runs", "list").stdout
    assert "faster-whisper-base" in ask("models", "list").stdout
    refused = ask("run", later, *STUB, expect=1).stderr
    assert "[results.unwritable]" in refused
    (hint,) = [words for words in refused.split("`") if words.startswith("--set results_dir=")]
    ask("run", later, *STUB, *hint.replace("...", str(tmp_path / "own results")).split(" ", 1))
    assert (tmp_path / "own results").is_dir()


def test_an_environment_that_cannot_be_built_where_it_belongs_says_so(
    ask: Ask, tmp_path: Path, closed: Callable[[Path, int], None]
) -> None:
    (tmp_path / "environments").mkdir()
    closed(tmp_path / "environments", 0o555)
    refused = ask("envs", "ensure", "bergamot", REEL_ENVIRONMENTS_DIR=str(tmp_path / "environments"), expect=5)
    assert "[environment.unwritable]" in refused.stderr
    assert "REEL_ENVIRONMENTS_DIR" in refused.stderr


@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="needs the Python that this environment was made with")
@pytest.mark.parametrize("code", ["core.unwritable", "core.python"])
def test_a_core_environment_of_another_account_is_told_in_one_sentence(
    code: str, tmp_path: Path, closed: Callable[[Path, int], None]
) -> None:
    (tmp_path / "config" / "environments").mkdir(parents=True)
    (tmp_path / "config" / "environments" / "core.lock").write_text("nothing==1\n", encoding="utf-8")
    programs = tmp_path / ".venvs" / "core" / "bin"
    programs.mkdir(parents=True)
    if code == "core.python":
        (tmp_path / "their home").mkdir()
        (tmp_path / "their home" / "python3").symlink_to(SYSTEM_PYTHON)
        (programs / "python").symlink_to(tmp_path / "their home" / "python3")
        closed(tmp_path / "their home", 0o000)
    else:
        closed(tmp_path / ".venvs", 0o555)
    done = subprocess.run(
        [*ACCOUNT, SYSTEM_PYTHON, "-s", "-P", "-X", "utf8", "-m", "pipeline.environments.bootstrap_core", tmp_path],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert f"[{code}]" in done.stderr
    assert done.stderr.count("\n") == 3, "an error, an empty line, a hint"


def test_without_a_home_folder_there_is_no_login_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert home_folder() is None
    for environ in ({}, {"HF_TOKEN_PATH": "~/token"}, {"HF_HOME": "~/hub"}, {"XDG_CACHE_HOME": "~/cache"}):
        assert find_token(environ, tmp_path, home_folder()) is None


def test_a_home_folder_that_is_not_there_or_may_not_be_read_ends_nothing(
    reel: Reel, tmp_path: Path, closed: Callable[[Path, int], None]
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    (tmp_path / "locked").mkdir()
    closed(tmp_path / "locked", 0o000)
    for home in (tmp_path / "gone", tmp_path / "locked"):
        done = subprocess.run(
            [*ACCOUNT, *reel.command("run", tmp_path / "film.mp4", *STUB)], env=reel.environment({"HOME": str(home)}),
            cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "gone").exists()
