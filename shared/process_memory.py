"""Measure the memory of this process, and tell whether an exception means that memory ran out."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any  # torch is not in every environment

# What libraries say, in lower case. Each stands for a failure that another try with less memory may not have:
# PyTorch, CTranslate2 and HIP ("out of memory"), PyTorch on the CPU, cuBLAS and cuDNN, ONNX Runtime, C++, JAX, MLX.
_PHRASES = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to allocate memory",
    "status_alloc_failed",
    "bad_alloc",
    "resource_exhausted",
    "maximum allowed buffer size",
    "insufficient memory",  # Metal's kIOGPUCommandBufferCallbackErrorOutOfMemory
)
_TYPES = {"OutOfMemoryError"}  # torch's, by name: this module runs in every environment


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether the exception, or one of its causes, says that memory ran out."""
    return any(_says_so(cause) for cause in chain(error))


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ in _TYPES:
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return says_out_of_memory(str(error))


def says_out_of_memory(text: str) -> bool:
    """Tell whether a library's text says that memory ran out."""
    return any(phrase in text.lower() for phrase in _PHRASES)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception, then its cause, the cause of that, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def system_kills() -> int:
    """Return how many processes the system has killed so far because memory ran out; 0 if it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def resident_mb() -> float | None:
    """Return the resident memory of this process in 10^6 bytes; None if the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float | None:
    """Return the peak of the memory of this process, in 10^6 bytes; None if the system does not tell."""
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    try:  # `getrusage` would give the peak of the parent, which a process inherits on Linux
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), None)


def gpu_mb() -> float | None:
    """Return the peak of the GPU memory of this process's torch, in 10^6 bytes; None if torch uses no GPU."""
    cuda = _cuda()
    return float(cuda.max_memory_reserved()) / 1e6 if cuda else None


def release_card_memory() -> None:
    """Give back the card's memory that this process's torch has reserved and does not use, to other programs and
    workers. Does nothing if torch uses no card."""
    if cuda := _cuda():
        cuda.empty_cache()


def _cuda() -> Any:
    """Return torch's interface to the card, if this process's torch uses one."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None
