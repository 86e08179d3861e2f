"""Claims about errors of libraries on a card: too little memory, a card that fails, or neither."""

from __future__ import annotations

import pytest

from shared.card_errors import failure_kind

DISGUISED = [
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "cuBLAS failed with status CUBLAS_STATUS_NOT_INITIALIZED",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "GET was unable to find an engine to execute this computation",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "cuFFT error: CUFFT_INTERNAL_ERROR",
]
BROKEN = [
    AssertionError("Torch not compiled with CUDA enabled"),
    RuntimeError("No CUDA GPUs are available"),
    RuntimeError("CUDA error: no kernel image is available for execution on the device"),
    RuntimeError("CUDA failed with error CUDA driver version is insufficient for CUDA runtime version"),
    RuntimeError("CUDA failed with error the provided PTX was compiled with an unsupported toolchain."),
    RuntimeError("Library libcublas.so.12 is not found or cannot be loaded"),
    RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
    RuntimeError("CUDA error: device-side assert triggered"),
    ValueError("Requested float16 compute type, but the target device or backend do not support efficient float16"),
]


@pytest.mark.parametrize("words", DISGUISED)
def test_a_symptom_of_too_little_memory_counts_as_such_where_the_card_is_nearly_full(words: str) -> None:
    error = RuntimeError(words)
    assert failure_kind(error, "cuda", 120.0) == "memory"
    assert failure_kind(error, "cuda", 9000.0) == "card"
    assert failure_kind(error, "cuda", None) == "card"
    wrapped = RuntimeError("the pipeline failed")
    wrapped.__cause__ = error
    assert failure_kind(wrapped, "cuda", 120.0) == "memory"


@pytest.mark.parametrize("error", BROKEN, ids=str)
def test_a_card_that_fails_is_told_from_too_little_memory_however_full_it_is(error: Exception) -> None:
    assert failure_kind(error, "cuda", 120.0) == "card"
    assert failure_kind(error, "cuda", None) == "card"


def test_what_says_that_memory_ran_out_is_that_everywhere() -> None:
    for error in (RuntimeError("CUDA failed with error out of memory"), MemoryError()):
        assert {failure_kind(error, device, None) for device in ("cpu", "cuda", "mps")} == {"memory"}


def test_other_failures_and_other_devices_are_not_the_cards_fault() -> None:
    assert failure_kind(KeyError("x"), "cuda", 120.0) == "other"
    assert failure_kind(RuntimeError("CUDA error: unknown"), "cpu", None) == "other"
