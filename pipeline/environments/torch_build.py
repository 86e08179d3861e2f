"""Choose the build of torch for an environment, and the packages of its lock that the build does not need.

The locks hold the build that needs NVIDIA's libraries, 4 GB that are of no use on a machine without such a card. There,
a processor-only build takes its place: from a folder of wheels if the user has one, else from torch's own index of such
builds, whose address uv knows. On 64-bit PCs with Windows it is the other way round: the locked build is for
processors, and torch's own index has the build for cards. On other machines there is only one build.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.base.settings import TorchChoice

TORCH = "torch"

_CUDA = "cu128"  # the CUDA of the locked build
_ON_TORCH_INDEX = ("torch", "torchaudio", "torchvision")
_NVIDIA = re.compile(r"(triton|nvidia-.*)")
# These link libraries that a processor-only torch does not have, and a folder of wheels may have torch without them. No
# backend calls them: sound is decoded by ffmpeg, and images by pillow.
_LINKED_TO_TORCH = re.compile(r"(torchvision|torchcodec)")
COMPILED_PARTS = "torchaudio/lib/*.so"
"""Compiled parts of torchaudio, which works without them: its resampling, features and models are Python."""

_WHEEL = re.compile(r"torch-(?P<version>[^-]+\+cpu)-(?P<python>cp\d+)-(?P<abi>cp\d+)-(?P<platform>.+)\.whl")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")


@dataclass(frozen=True)
class TorchBuild:
    """A build of torch: the locked one, one of torch's own indexes, or a wheel on this machine."""

    kind: Literal["locked", "cpu-index", "cpu-wheel", "cuda-index"]
    wheel: Path | None = None

    @property
    def backend(self) -> str:
        """Return uv's name of the index of this build; empty if the build is not from torch's own indexes."""
        return {"cpu-index": "cpu", "cuda-index": _CUDA}.get(self.kind, "")

    def name(self, lock: str) -> str | None:
        """Return the name of the torch build for results and `doctor`; None if the environment's lock holds no
        torch."""
        version = locked_version(lock, TORCH)
        if version is None:
            return None
        if self.wheel is not None:
            return f"{wheel_version(self.wheel)} from a wheel"
        return f"{version}+{self.backend}" if self.backend else version

    def lock(self, lock: str) -> str:
        """Return the lock without the requirements that do not fit this build."""
        if self.kind == "locked":
            return lock
        return "".join(block for name, block in requirements_of(lock) if not self._drops(name))

    def from_index(self, lock: str) -> list[str]:
        """Return the requirements to take from torch's own index instead."""
        return [f"{name}=={version}" for name in _ON_TORCH_INDEX if (version := locked_version(lock, name))]

    def _drops(self, name: str) -> bool:
        if name == TORCH or _NVIDIA.fullmatch(name):
            return True
        if self.backend:
            return name in _ON_TORCH_INDEX
        return bool(_LINKED_TO_TORCH.fullmatch(name))


LOCKED = TorchBuild("locked")


def choose_torch(choice: TorchChoice, has_card: bool, folders: Iterable[Path]) -> TorchBuild:
    """Return the build for this machine. Of the wheels in `folders`, the newest that fits this Python is taken."""
    if _is_pc("win32"):
        return TorchBuild("cuda-index") if has_card and choice != "cpu" else LOCKED
    if choice == "locked" or not _is_pc("linux") or (choice == "auto" and has_card):
        return LOCKED
    wheels = [path for folder in folders for path in sorted(folder.glob("torch-*.whl")) if _fits(path)]
    return TorchBuild("cpu-wheel", _newest(wheels)) if wheels else TorchBuild("cpu-index")


def wheel_folders(setting: str, environ: Mapping[str, str]) -> list[Path]:
    """Return the folders to search for wheels: the setting `torch_wheels`, then those in pip's settings."""
    named = [setting, *environ.get("PIP_FIND_LINKS", "").split()]
    folders = [Path(name.removeprefix("file://")).expanduser() for name in named if name]
    return [folder for folder in folders if folder.is_dir()]


def locked_version(lock: str, package: str) -> str | None:
    """Return the version of a package that a lock holds; the first where Pythons differ."""
    # A search instead of a regular expression, since every command does this with every lock.
    begin = f"\n{lock}".find(f"\n{package}==")
    found = _REQUIREMENT.match(lock, begin) if begin >= 0 else None
    return found["version"] if found else None


def wheel_version(wheel: Path) -> str:
    """Return the version in a wheel's file name."""
    return wheel.name.split("-")[1]


def _is_pc(system: str) -> bool:
    return sys.platform == system and platform.machine() in {"x86_64", "AMD64"}


def _fits(wheel: Path) -> bool:
    found = _WHEEL.fullmatch(wheel.name)
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return bool(found and found["python"] == python and found["platform"].endswith("x86_64"))


def _newest(wheels: Sequence[Path]) -> Path:
    if len(wheels) == 1:
        return wheels[0]
    # Imported here: every start of a command chooses a build, and the import takes 50 ms.
    from packaging.version import Version

    return max(wheels, key=lambda path: Version(wheel_version(path)))


def requirements_of(lock: str) -> list[tuple[str, str]]:
    """Return a lock's requirements in order: each name with its line and its lines of hashes. Text before the first
    requirement has an empty name."""
    blocks: list[tuple[str, str]] = []
    for line in lock.splitlines(keepends=True):
        if found := _REQUIREMENT.match(line):
            blocks.append((found["name"].lower(), line))
        elif blocks:
            blocks[-1] = blocks[-1][0], blocks[-1][1] + line
        else:
            blocks.append(("", line))
    return blocks
