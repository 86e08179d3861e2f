"""The variables of a child: everything below one cache, nothing inherited by accident, no secret at all."""

from __future__ import annotations

import mmap
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shared import environment_manager
from shared.environment_manager import (
    FORBIDDEN,
    ChildPaths,
    cache_folders,
    cache_variables,
    child_environment,
    hub_endpoint,
    missing_injection,
)

# Prints how many pages are brought in for a buffer that was taken and freed before.
TAKE_AND_FREE = """
import ctypes, resource
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
c.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer = c.malloc(96 * 1024 * 1024)
    c.memset(buffer, 1, 96 * 1024 * 1024)
    c.free(buffer)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

PATHS = ChildPaths(Path("/code"), Path("/cache"), (Path("/tools"), Path("/venv/bin")), Path("/cache/home"))


def test_every_cache_variable_is_absolute_and_below_the_one_cache() -> None:
    variables = child_environment(PATHS, {}, offline=True)
    for name in cache_variables(PATHS.cache_root):
        assert Path(variables[name]) == PATHS.cache_root or PATHS.cache_root in Path(variables[name]).parents
    assert variables["HF_HUB_CACHE"] == f"{variables['HF_HOME']}/hub"
    assert all(folder.is_absolute() for folder in cache_folders(PATHS.cache_root))


def test_where_the_cache_can_only_be_read_nothing_that_is_written_lies_in_it() -> None:
    paths = replace(PATHS, scratch=Path("/results/scratch"))
    variables = child_environment(paths, {}, offline=True)
    assert missing_injection(variables) == []
    assert variables["HF_HUB_CACHE"] == "/cache/huggingface/hub"
    for name in ("HF_MODULES_CACHE", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TRITON_CACHE_DIR"):
        assert variables[name].startswith("/results/scratch")
    folders = cache_folders(PATHS.cache_root, paths.scratch)
    assert folders
    assert all(folder.is_relative_to("/results/scratch") for folder in folders)


def test_nothing_is_inherited_but_what_the_list_names() -> None:
    parent = {
        "LANG": "hi_IN.UTF-8",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "HF_TOKEN": "secret",
        "HF_HOME": "/elsewhere",
        "TRANSFORMERS_CACHE": "/elsewhere",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PYTHONPATH": "/evil",
        "PATH": "/evil",
        "LD_PRELOAD": "/evil.so",
    }
    variables = child_environment(PATHS, parent, offline=False)
    assert variables["LANG"] == "hi_IN.UTF-8"
    assert variables["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert "secret" not in str(variables)
    assert "evil" not in str(variables)
    assert "elsewhere" not in str(variables)
    assert variables["PATH"].startswith(f"/tools{os.pathsep}/venv/bin{os.pathsep}")


def test_on_windows_a_child_finds_its_home_and_the_systems_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_manager, "_WINDOWS", True)
    parent = {
        "SYSTEMROOT": r"C:\Windows",
        "SYSTEMDRIVE": "C:",
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "USERPROFILE": r"C:\Users\me",
        "PATH": r"C:\evil",
    }
    variables = child_environment(PATHS, parent, offline=False)
    assert variables["PATH"].endswith(os.pathsep.join(["", r"C:\Windows\system32", r"C:\Windows"]))
    assert variables["USERPROFILE"] == variables["HOME"] == str(PATHS.home)
    assert variables["SYSTEMDRIVE"] == "C:"
    assert variables["PROCESSOR_ARCHITECTURE"] == "AMD64"
    assert "evil" not in str(variables)


def test_an_operator_that_apples_gpus_lack_is_computed_on_the_processor() -> None:
    assert child_environment(PATHS, {}, offline=True)["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_a_child_keeps_large_buffers_instead_of_having_them_paged_in_again() -> None:
    paths = replace(PATHS, code_root=Path.cwd())
    environment = child_environment(paths, {}, offline=True)
    done = subprocess.run([sys.executable, "-c", TAKE_AND_FREE], env=environment, stdout=subprocess.PIPE, check=True)
    pages = 96 * 1024 * 1024 // mmap.PAGESIZE
    assert int(done.stdout) < pages // 10


def test_offline_is_said_only_when_the_models_are_verified() -> None:
    names = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"}
    assert names <= set(child_environment(PATHS, {}, offline=True))
    assert not names & set(child_environment(PATHS, {}, offline=False))


def test_a_complete_environment_passes_and_each_flaw_is_named() -> None:
    complete = child_environment(PATHS, {}, offline=True)
    assert missing_injection(complete) == []
    assert missing_injection({}) == ["REEL_CACHE_ROOT is not set"]
    assert missing_injection({**complete, "TORCH_HOME": "/x"}) == ["TORCH_HOME is '/x', expected '/cache/torch'"]
    for name in FORBIDDEN:
        assert missing_injection({**complete, name: "x"}) == [f"{name} is set"]


def test_the_users_mirror_wins_over_the_setting() -> None:
    assert hub_endpoint({"HF_ENDPOINT": "http://mirror/"}, "https://hub") == "http://mirror"
    assert hub_endpoint({"HF_ENDPOINT": ""}, "https://hub/") == "https://hub"
