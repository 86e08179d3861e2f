"""What all tests share: guards around them, and the command line as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from tests.together import Together

# How long an example takes says how busy the machine is; no claim of ours depends on it.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# A shell that starts us in the background has us ignore interrupts, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    """Who runs what, where several processes run tests."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first: the many small files even out the end."""
    items.sort(key=lambda item: not item.path.is_relative_to(ROOT / "tests" / "real"))


@pytest.fixture(autouse=True)
def the_environment_and_the_home_folder_stay_as_they_are(home: Path) -> Iterator[None]:
    """A test that leaves a variable or a file behind fails, whatever else it claims."""
    before = dict(os.environ)
    yield
    changed = {name for name in before.keys() | os.environ if before.get(name) != os.environ.get(name)}
    assert changed <= {"PYTEST_CURRENT_TEST", "HYPOTHESIS_DATABASE_FILE"}, f"the test changed variables: {changed}"
    assert not list(home.iterdir()), f"the test wrote into the home folder: {list(home.iterdir())}"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home folder; see `command_environment`."""
    return tmp_path_factory.mktemp("home")


@dataclass(frozen=True)
class Reel:
    """The command line with a result store and an output folder of its own; models and environments are shared."""

    folder: Path
    home: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REEL_", "HF_", "PYTHON"))}
        return {
            **kept,
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "REEL_RESULTS_DIR": str(self.results),
            "REEL_OUTPUT_DIR": str(self.out),
            **(extra or {}),
        }

    def command(self, *arguments: str | Path) -> list[str]:
        """The words that start it."""
        return [sys.executable, "-P", "-m", "pipeline", *map(str, arguments)]

    def start(self, *arguments: str | Path, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The command in a process group of its own, so that a test can end all of it."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(extra), cwd=self.folder, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(
        self,
        *arguments: str | Path,
        extra: Mapping[str, str] | None = None,
        expect: int | None = 0,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; `expect` is the exit code it must have, None for any."""
        with self.start(*arguments, extra=extra) as process:
            out, err = process.communicate(timeout=timeout)
        if expect is not None:
            assert process.returncode == expect, f"exit {process.returncode}, expected {expect}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def reel(tmp_path: Path, home: Path) -> Reel:
    return Reel(tmp_path, home)
