"""The kind of processor that decides how a sum is rounded, and what is said of machines that differ in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.processor import kind_of, processor_difference, processor_kind

XEON = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sse2 avx2 avx512f avx512_vnni avx512_bf16 amx_tile\n"
RYZEN = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse2 avx2\n\nprocessor\t: 1\nflags\t\t: none\n"
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd sve i8mm\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "kind"),
    [
        ("x86_64", XEON, "x86_64 Intel AVX2 AVX-512 VNNI bfloat16 AMX"),
        ("x86_64", RYZEN, "x86_64 AMD AVX2"),
        ("aarch64", GRAVITON, "aarch64 Arm NEON SVE I8MM"),
        ("riscv64", "processor : 0\nhart : 1\n", "riscv64"),
        ("arm64", "", "arm64"),
    ],
)
def test_the_kind_is_the_maker_and_the_widest_instructions(machine: str, cpuinfo: str, kind: str) -> None:
    assert kind_of(machine, cpuinfo) == kind


def test_two_cores_that_differ_only_in_speed_are_of_one_kind() -> None:
    assert kind_of("x86_64", XEON + "cpu MHz\t: 2000\n") == kind_of("x86_64", XEON + "cpu MHz\t: 3100\n")


def test_a_machine_that_tells_nothing_has_a_kind_too(tmp_path: Path) -> None:
    assert processor_kind(tmp_path / "cpuinfo")


def test_machines_of_unlike_processors_are_told_once_for_each_kind() -> None:
    xeon, ryzen = kind_of("x86_64", XEON), kind_of("x86_64", RYZEN)
    assert processor_difference("10.0.0.1", xeon, {}) is None
    assert processor_difference("10.0.0.2", xeon, {"10.0.0.1": xeon}) is None
    told = processor_difference("10.0.0.3", ryzen, {"10.0.0.1": xeon, "10.0.0.2": xeon})
    assert told is not None
    assert "10.0.0.1 has x86_64 Intel AVX2 AVX-512" in told
    assert "10.0.0.3 has x86_64 AMD AVX2;" in told
    assert processor_difference("10.0.0.4", ryzen, {"10.0.0.1": xeon, "10.0.0.3": ryzen}) is None
