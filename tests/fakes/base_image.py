"""The tree of files of a base image for containers, made from this machine's own Python, shell and libraries."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_TOOLS = (
    "sh", "cmp", "readlink", "dirname", "rm", "mkdir", "chown", "chmod", "env", "cat", "ls", "id", "find", "touch",
)  # fmt: skip
_UNUSED = ("test", "tests", "idlelib", "tkinter", "ensurepip", "config-*", "site-packages", "turtledemo", "_tkinter*")
_FOR_WHEELS = (  # what wheels expect of any system
    "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "librt.so.1", "libpthread.so.0", "libdl.so.2", "libutil.so.1",
    "libmvec.so.1",
)  # fmt: skip


def make_base(folder: Path) -> None:
    """Fill an empty folder with a system that holds Python with pip, a shell, and the tools that the wrapper calls."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = Path(sysconfig.get_config_var("prefix"), "lib", version)
    library = folder / "usr" / "local" / "lib" / version
    shutil.copytree(ours, library, ignore=shutil.ignore_patterns(*_UNUSED), symlinks=True)
    pip = find_spec("pip")
    assert pip
    assert pip.origin
    shutil.copytree(Path(pip.origin).parent, library / "site-packages" / "pip")
    programs = [Path(sys.executable).resolve(), *(Path(shutil.which(tool) or tool) for tool in _TOOLS)]
    _put(programs[0], folder / "usr" / "local" / "bin" / "python3")
    for program in programs[1:]:
        _put(program, folder / "bin" / program.name)
    needed = {library for program in (*programs, *library.glob("lib-dynload/*.so")) for library in _libraries(program)}
    system = next(Path(path).parent for path in needed if Path(path).name == "libc.so.6")
    needed |= {path for name in _FOR_WHEELS for path in (str(system / name), *_libraries(system / name))}
    for path in needed:
        known = Path(path).parent in {system, Path("/lib64")}  # a Python of its own has its library in its own folder
        _put(Path(path), folder / (path.lstrip("/") if known else f"{system}/{Path(path).name}".lstrip("/")))
    for name in ("etc", "tmp", "root", "proc", "dev", "sys"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    (folder / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n", encoding="utf-8")


def _libraries(program: Path) -> Iterator[str]:
    """Yield the shared libraries that a program loads."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    for line in told.splitlines():
        yield from (word for word in line.split() if word.startswith("/") and Path(word).is_file())


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(source, target)
