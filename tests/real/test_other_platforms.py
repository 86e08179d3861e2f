"""Claims about machines that are not here: the package index has a wheel of every locked package for each of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.environments.families import load_families
from pipeline.environments.torch_build import requirements_of

FAMILIES = load_families(CONFIG / "environments.toml")
# uv's name of a target, and what Python calls the system and the processor there.
TARGETS = {
    "aarch64-apple-darwin": ("darwin", "arm64"),
    "x86_64-pc-windows-msvc": ("win32", "AMD64"),
    "x86_64-manylinux_2_40": ("linux", "x86_64"),
    "aarch64-manylinux_2_40": ("linux", "aarch64"),
}
OLDEST_MACOS = "14.0"  # as `bootstrap_core` has it
PYTHONS = ("3.11", "3.12", "3.13")
_LACKING = re.compile(r"Wheels are required for `([^`]+)`")

Requirements = dict[str, str]  # what a lock says of a package, by `name==version`


def _locked(family: str) -> Requirements:
    lock = (CONFIG / "environments" / f"{family}.lock").read_text(encoding="utf-8")
    built = FAMILIES[family].builds if family in FAMILIES else ()
    return {text.split()[0]: text for name, text in requirements_of(lock) if name and name not in built}


def _installable_together(locks: Iterable[Requirements]) -> list[Requirements]:
    """Share the packages out, so that no part holds two versions of one: few parts are asked instead of each lock."""
    parts: list[dict[str, tuple[str, str]]] = []
    for pin, text in {pin: text for lock in locks for pin, text in lock.items()}.items():
        name = pin.partition("==")[0]
        part = next((part for part in parts if name not in part), None)
        if part is None:
            parts.append(part := {})
        part[name] = pin, text
    return [dict(part.values()) for part in parts]


def _lacking(part: Requirements, target: str, python: str, folder: Path) -> Iterator[str]:
    """Yield the pins without a wheel for a target. uv names one at a time."""
    left = dict(part)
    while True:
        file = folder / "requirements.txt"
        file.write_text("".join(left.values()), encoding="utf-8")
        command = [
            sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-deps", "--require-hashes",
            "--only-binary", ":all:", "--python-platform", target, "--python-version", python,
            "--target", str(folder / "target"), "-r", str(file),
        ]  # fmt: skip
        variables = {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS, "UV_CACHE_DIR": str(CODE_ROOT / ".cache" / "uv")}
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, encoding="utf-8")
        if not done.returncode:
            return
        found = _LACKING.search(done.stderr) or re.search(r"no wheels? .*?`?([\w.-]+)`?", done.stderr)
        assert found, done.stderr
        pin = next((pin for pin in left if pin.partition("==")[0] == found[1].lower()), None)
        assert pin, done.stderr
        yield pin
        del left[pin]


def _families_with(pins: Iterable[str], locks: Mapping[str, Requirements]) -> dict[str, list[str]]:
    found = {family: [pin.partition("==")[0] for pin in pins if pin in lock] for family, lock in locks.items()}
    return {family: sorted(names) for family, names in found.items() if names}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_locked_package_has_a_wheel_or_its_family_says_that_it_has_none(
    target: str, python: str, tmp_path: Path
) -> None:
    locks = {family: _locked(family) for family in ("core", *FAMILIES)}
    pins = [pin for part in _installable_together(locks.values()) for pin in _lacking(part, target, python, tmp_path)]
    absent = {name: sorted(family.absent_on(*TARGETS[target])) for name, family in FAMILIES.items()}
    assert _families_with(pins, locks) == {family: names for family, names in absent.items() if names}
