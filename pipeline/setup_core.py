"""Makes the core environment, in which the orchestrator runs. Called by the wrapper `reel`, before any of our
dependencies exist: standard library only, and it imports nothing of ours.

pip is the machine's own and installs by hash from the committed lock. The environment is made without a pip of its
own, because some systems ship Python without `ensurepip`; the lock brings one.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

EXIT_MISSING = 5


def main(root: Path) -> int:
    """Build `.venvs/core` below `root`; returns the exit code."""
    core, lock = root / ".venvs" / "core", root / "config" / "environments" / "core.lock"
    marker = core / "reel-core.lock"
    core.parent.mkdir(parents=True, exist_ok=True)
    with open(core.parent / "core.lock", "w") as guard:
        _wait_for(guard)  # two first uses at once build one environment
        python = core / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if marker.exists() and marker.read_bytes() == lock.read_bytes() and python.exists():
            return 0
        print("setting up reel: the core environment", file=sys.stderr, flush=True)
        shutil.rmtree(core, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--require-hashes"]
        options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
        cache = {**os.environ, "PIP_CACHE_DIR": str(root / ".cache" / "pip")}
        # The interpreter itself, not a name for it: `python3` may be another version tomorrow, and the environment
        # would then find none of its packages. A version that is gone is noticed, and the environment made anew.
        interpreter = os.path.realpath(sys.executable)
        for command in (
            [interpreter, "-m", "venv", "--without-pip", str(core)],
            [*pip, *options, "--requirement", str(lock)],
        ):
            done = subprocess.run(command, env=cache, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                told = (done.stderr.strip() or done.stdout.strip() or "no reason was given").splitlines()[-1]
                print(f"error: the core environment could not be made: {told} [core.build]", file=sys.stderr)
                print("\nhint: `python3 -m pip --version` must work and reach a package index", file=sys.stderr)
                return EXIT_MISSING
        shutil.copyfile(lock, marker)  # last: without it the environment counts as not built
    return 0


def _wait_for(guard: TextIO) -> None:
    """Hold the file until this process ends."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(guard, fcntl.LOCK_EX)
        return
    import msvcrt

    while True:
        try:
            msvcrt.locking(guard.fileno(), msvcrt.LK_NBLCK, 1)
            return
        except OSError:  # somebody else has it
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
