"""Tell what an exception on an NVIDIA card means: too little memory, a card that fails, or something else.

Some libraries name a symptom where memory ran out: cuBLAS cannot be initialised, cuDNN finds no way to compute. The
same words stand for a broken installation, so they count as a lack of memory only where the card is nearly full.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Literal

from shared.process_memory import chain, is_out_of_memory
from shared.stage import DeviceKind

FailureKind = Literal["memory", "card", "other"]

FULL_MB = 1000.0  # a card with less free memory than this is nearly full: a context alone takes 300 to 500

# In lower case. Met with PyTorch 2.8 and CTranslate2 4.8 on cards that other programs had filled.
_PERHAPS_MEMORY = (
    "cublas_status_not_initialized",
    "cublas_status_internal_error",
    "cudnn_status_not_initialized",
    "cudnn_status_internal_error",
    "unable to find an engine",
    "cufft_alloc_failed",
    "cufft_internal_error",
    "cusolver_status_internal_error",
)
# The words of the CUDA runtime, of its libraries and of those who call them.
_CARD = (
    "cuda",
    "cublas",
    "cudnn",
    "cufft",
    "cusolver",
    "curand",
    "nvrtc",
    "nvidia driver",
    "unable to find an engine",
    "no kernel image",
    "device-side assert",
    "requested float16 compute type",
    "requested int8_float16 compute type",
    "requested bfloat16 compute type",
)


def failure_kind(error: BaseException, device: DeviceKind, free_mb: float | None) -> FailureKind:
    """Return what the exception means on this device. `free_mb` is the free memory of the card in 10^6 bytes, None
    where it is not known."""
    if is_out_of_memory(error):
        return "memory"
    if device != "cuda":
        return "other"
    words = " ".join(str(cause).lower() for cause in chain(error))
    if free_mb is not None and free_mb < FULL_MB and any(phrase in words for phrase in _PERHAPS_MEMORY):
        return "memory"
    return "card" if any(phrase in words for phrase in _CARD) else "other"


def card_free_mb() -> float | None:
    """Return the free memory of the card that this process computes on, in 10^6 bytes; None where it uses none.

    The driver is asked itself, because torch is not in every environment and may be what has failed.
    """
    if sys.platform == "darwin":
        return None
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    except (OSError, AttributeError):
        return None
    return None if failed else free.value / 1e6
