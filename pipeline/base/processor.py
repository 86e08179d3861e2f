"""Name the kind of a machine's processor, which decides how sums are rounded.

Numeric libraries (oneDNN, MKL, OpenBLAS, ONNX Runtime) choose their kernels by the maker and the widest instructions,
and each kernel adds in another order. Two processors of one kind run the same kernels.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_MAKERS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "0x41": "Arm", "0x61": "Apple"}
_WIDE = {
    "AVX2": "avx2", "AVX-512": "avx512f", "VNNI": "avx512_vnni", "bfloat16": "avx512_bf16", "AMX": "amx_tile",
    "NEON": "asimd", "SVE": "sve", "SVE2": "sve2", "I8MM": "i8mm",
}  # fmt: skip


def processor_kind(cpuinfo: Path = _CPUINFO) -> str:
    """Return the kind of this machine's processor: `x86_64 Intel AVX2 AVX-512`. On other systems than Linux it is the
    architecture alone."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return kind_of(platform.machine(), text)


def kind_of(machine: str, cpuinfo: str) -> str:
    """Return the kind of processor that the text of `/proc/cpuinfo` describes, by its first core."""
    facts: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            facts.setdefault(name.strip().lower(), value.strip())
    maker = facts.get("vendor_id") or facts.get("cpu implementer", "")
    flags = (facts.get("flags") or facts.get("features", "")).split()
    return " ".join([machine, *([_MAKERS.get(maker, maker)] if maker else []), *_instructions(flags)])


def processor_difference(joining: str, kind: str, others: Mapping[str, str]) -> str | None:
    """Return a warning if a machine's processor differs in kind from those of all `others`, by the machine's name. None
    if one of them is of the same kind, or if there are no others."""
    if not others or kind in others.values():
        return None
    other, its = next(iter(others.items()))
    return (
        f"the processors of the machines differ: {other} has {its}, {joining} has {kind}; each rounds in its own way,"
        " so now and then a word depends on the machine that heard it"
    )


def _instructions(flags: list[str]) -> list[str]:
    return [name for name, flag in _WIDE.items() if flag in flags]
