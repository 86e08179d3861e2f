"""Fixtures of all tests: guards around them, and the command line as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from pipeline.base.project import CONFIG
from pipeline.environments.families import load_families
from shared.stage import CORE_ENVIRONMENT
from tests.in_process import can_run_here, run_here
from tests.together import Together

# An example has no deadline: its time depends on the load of the machine.
settings.register_profile("all", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30)
settings.load_profile("all")

# Where CI is true, reel locks no model at first use. A test that needs it sets it itself.
os.environ.pop("CI", None)

# A process that a shell starts in the background ignores interrupts, and its children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
_WORKER_BYTES = 5 << 30  # for a process that runs tests: it has two stage processes at a time; NeMo's take 2.5 GB each


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples of each property where only the quick tests run; CI tries all of them."""
    if config.getoption("markexpr") == "not slow":
        settings.load_profile("quick")


def examples(times: float) -> settings:
    """Return the settings of a property that needs `times` as many examples as others."""
    return settings(max_examples=round(settings().max_examples * times), deadline=None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of processes that run the tests: one for each core, and one more for the slow tests if there is
    memory for it, because these wait for a fifth to a quarter of their time."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    quick = config.getoption("markexpr") == "not slow"
    return cores if quick or psutil.virtual_memory().total < _WORKER_BYTES * (cores + 1) else cores + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    """Return the scheduler that assigns tests to the processes."""
    return Together(config, log)


_REAL = ROOT / "tests" / "real"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, and run them first, so that short tests fill the time in which the last process ends."""
    for item in items:
        smoke = item.get_closest_marker("smoke") is not None
        if is_slow(item.path, getattr(item, "fixturenames", ()), smoke=smoke):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def is_slow(path: Path, fixtures: Collection[str], *, smoke: bool = False) -> bool:
    """Tell whether a test is slow by what it uses: real libraries and models, or the whole program, of which one run on
    stubs takes a core for a second. A few `smoke` tests of the program are quick all the same."""
    return path.is_relative_to(_REAL) or "stage_environments" in fixtures or ("reel" in fixtures and not smoke)


@pytest.fixture(scope="session")
def stage_environments() -> None:
    """Set up the environments and the models of the starter profile. A test that asks for them is slow by that."""
    for words in (["envs", "ensure"], ["models", "fetch", "--profile", "starter"]):
        done = subprocess.run([ROOT / "reel", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def core_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of environments with the core environment. A file has the place of each other one, so that none
    is built: a quick test that asks for one fails."""
    folder = tmp_path_factory.mktemp("environments")
    (folder / CORE_ENVIRONMENT).symlink_to(ROOT / ".venvs" / CORE_ENVIRONMENT)
    for family in load_families(CONFIG / "environments.toml"):
        (folder / family).write_text("a quick test has no stage environment\n", encoding="utf-8")
    return folder


@pytest.fixture
def environments(request: pytest.FixtureRequest) -> Path | None:
    """Return the folder of environments for one test; None for the project's own, which a test has that asks for it."""
    if request.node.path.is_relative_to(_REAL) or "stage_environments" in request.fixturenames:
        return None
    folder: Path = request.getfixturevalue("core_alone")
    return folder


@pytest.fixture(autouse=True)
def the_environment_and_the_home_folder_stay_as_they_are(home: Path) -> Iterator[None]:
    """Fail a test that leaves a variable or a file behind, whatever else it claims."""
    before = dict(os.environ)
    yield
    changed = {name for name in before.keys() | os.environ if before.get(name) != os.environ.get(name)}
    assert changed <= {"PYTEST_CURRENT_TEST", "HYPOTHESIS_DATABASE_FILE"}, f"the test changed variables: {changed}"
    assert not list(home.iterdir()), f"the test wrote into the home folder: {list(home.iterdir())}"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty home folder; see `command_environment`."""
    return tmp_path_factory.mktemp("home")


@dataclass(frozen=True)
class Reel:
    """The command line with a result store and an output folder of its own; models and environments are shared.
    `environments` is the folder of those, where it is not the project's own. With `in_process` a call runs the command
    in the process of the tests, which saves half a second of imports; `start` always makes a process."""

    folder: Path
    home: Path
    environments: Path | None = None
    in_process: bool = False

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
            "REEL_RESULTS_DIR": str(self.results),
            "REEL_OUTPUT_DIR": str(self.out),
            **({"REEL_ENVIRONMENTS_DIR": str(self.environments)} if self.environments else {}),
            **(extra or {}),
        }

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the words that start it."""
        return [sys.executable, "-P", "-m", "pipeline", *map(str, arguments)]

    def start(self, *arguments: str | Path, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the command in a process group of its own, so that a test can end all of it."""
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
        if self._runs_here(arguments):
            words = [*map(str, arguments)]
            code, out, err = run_here(words, self.folder, self.environment(extra), timeout)
        else:
            with self.start(*arguments, extra=extra) as process:
                out, err = process.communicate(timeout=timeout)
            code = process.returncode
        if expect is not None:
            assert code == expect, f"exit {code}, expected {expect}\n{out}\n{err}"
        return subprocess.CompletedProcess(self.command(*arguments), code, out, err)

    def _runs_here(self, arguments: Sequence[str | Path]) -> bool:
        """Tell whether this process runs the command: variables, folder and streams are those of one thread, and some
        commands go on in the Python of another environment."""
        elsewhere = {"serve", "cluster"}.intersection(map(str, arguments[:1]))
        return self.in_process and not elsewhere and can_run_here()


@pytest.fixture
def reel(request: pytest.FixtureRequest, tmp_path: Path, home: Path, environments: Path | None) -> Reel:
    """Return the command line for one test. Beside real stages, and where a test shows that the program works at all,
    each command has a process of its own."""
    smoke = request.node.get_closest_marker("smoke") is not None
    return Reel(tmp_path, home, environments, in_process=environments is not None and not smoke)
