"""Claims about the cards that the locked libraries compute on: the table against the locks, and each kind of machine
with its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.card_support import computes_on_cards, load_card_libraries, usable_hardware
from pipeline.base.errors import UsageError
from pipeline.base.hardware import Hardware
from pipeline.base.nvidia import Card
from pipeline.base.project import CONFIG
from pipeline.environments.torch_build import locked_version
from pipeline.plan.registry import STAGES
from shared.stage import Backend

LIBRARIES = load_card_libraries(CONFIG / "cards.toml")
BACKENDS = [
    (f"{stage.name}/{name}", backend)
    for stage in STAGES.values()
    for name, backend in stage.backends.items()
    if "cuda" in backend.accelerators
]


def machine(*cards: Card, system: str = "Linux", processor: str = "x86_64") -> Hardware:
    return Hardware(
        system=system, machine=processor, cpus=8, memory_gib=31.0, cuda=cards, mps=False, mlx=False
    )  # fmt: skip


def card(name: str, capability: str = "", driver: str = "570.86.10", mib: int = 24576) -> Card:
    return Card(name=name, memory_mib=mib, uuid=f"GPU-{name}", capability=capability, driver=driver)


@pytest.mark.parametrize(("name", "backend"), BACKENDS, ids=[name for name, _ in BACKENDS])
def test_each_backend_for_cards_computes_with_a_library_of_its_lock_that_the_table_describes(
    name: str, backend: Backend
) -> None:
    family = backend.card_environment or backend.environment
    lock = (CONFIG / "environments" / f"{family}.lock").read_text(encoding="utf-8")
    assert locked_version(lock, backend.card_library) == LIBRARIES[backend.card_library].version, name
    assert locked_version(lock, "nvidia-cublas-cu12"), "each library computes with NVIDIA's cuBLAS"


GOOD = [
    card("GTX 1650", "7.5", "535.183.01", 4096), card("RTX 3060", "8.6"), card("RTX 4090", "8.9", "525.60.13"),
    card("T4", "7.5"), card("L4", "8.9"), card("V100", "7.0"), card("A100", "8.0"), card("H100", "9.0"),
    card("B200", "10.0"), card("RTX 5090", "12.0"), card("known by its device file", "", ""),
]  # fmt: skip


@pytest.mark.parametrize("good", GOOD, ids=lambda one: one.name)
def test_a_card_that_the_packages_are_built_for_is_used_by_all(good: Card) -> None:
    usable = usable_hardware(machine(good), LIBRARIES, {})
    assert usable.cuda == (good,)
    assert usable.card_problems == {}
    assert usable.device == "cuda"


@pytest.mark.parametrize(
    ("old", "works", "says"),
    [
        (card("MX150", "6.1", mib=2002), {"ctranslate2"}, "torch 2.8.0 has no code for the MX150"),
        (card("GTX 1060", "6.1"), {"ctranslate2"}, "its compute capability is 6.1, not 7.0, 7.5"),
        (card("P100", "6.0"), {"ctranslate2"}, "no code for the P100"),
        (card("H100", "9.0", "535.183.01"), {"torch"}, "on compute capability 9.0 needs driver 570.26"),
        (card("RTX 3060", "8.6", "515.43.04"), set(), "needs driver 525.60.13 or newer, and the RTX 3060 has 515"),
        (card("K80", "", "470.82.01"), set(), "needs driver 525.60.13 or newer"),
        (card("K80", "3.7"), set(), "torch 2.8.0 has no code for the K80"),
        (card("GTX 750 Ti", "5.0"), set(), "ctranslate2 4.8.5 has no code for the GTX 750 Ti"),
        (card("GTX 970", "5.2"), set(), "its compute capability is 5.2, not 5.3"),
    ],
    ids=lambda value: value.name if isinstance(value, Card) else None,
)  # fmt: skip
def test_a_library_that_cannot_compute_on_a_card_says_why_in_a_sentence(old: Card, works: set[str], says: str) -> None:
    usable = usable_hardware(machine(old), LIBRARIES, {})
    assert set(LIBRARIES) - set(usable.card_problems) == works
    assert any(says in reason for reason in usable.card_problems.values())
    assert usable.device == ("cuda" if works else "cpu")
    assert computes_on_cards(machine(old), "torch", LIBRARIES) is ("torch" in works)


@pytest.mark.parametrize("name", ["Jetson Orin", "GH200", "DGX Spark"])
def test_where_the_locked_packages_are_for_processors_the_processor_computes(name: str) -> None:
    usable = usable_hardware(machine(card(name, "9.0"), processor="aarch64"), LIBRARIES, {})
    assert usable.device == "cpu"
    assert usable.card_problems["torch"] == "torch 2.8.0 for Linux aarch64 computes on the processor only"


def test_windows_has_drivers_of_its_own_numbers() -> None:
    assert usable_hardware(
        machine(card("A2000", "8.6", "531.14"), system="Windows", processor="AMD64"), LIBRARIES, {}
    ).cuda
    old = usable_hardware(machine(card("A2000", "8.6", "516.94"), system="Windows", processor="AMD64"), LIBRARIES, {})
    assert "527.41" in old.card_problems["torch"]


def test_an_old_card_beside_a_new_one_is_left_alone() -> None:
    old, new = card("GTX 1060", "6.1"), card("RTX 3090", "8.6")
    assert usable_hardware(machine(old, new), LIBRARIES, {}).cuda == (new,)
    assert usable_hardware(machine(old, new), LIBRARIES, {"CUDA_VISIBLE_DEVICES": "0"}).cuda == (old,)


def test_of_cards_that_other_libraries_know_one_kind_is_taken() -> None:
    # On each of a Pascal and a Hopper with an old driver one library computes, and not the same.
    pascal, hopper = card("GTX 1060", "6.1", "550.54.14"), card("H100", "9.0", "550.54.14")
    for first, second, lacking in ((pascal, hopper, "torch"), (hopper, pascal, "ctranslate2")):
        usable = usable_hardware(machine(first, second), LIBRARIES, {})
        assert (usable.cuda, set(usable.card_problems)) == ((first,), {lacking})


@pytest.mark.parametrize("chosen", ["", "-1", "9"])
def test_a_hidden_card_has_the_processor_compute_and_no_environment_built_again(chosen: str) -> None:
    here = machine(card("RTX 3060", "8.6"))
    assert usable_hardware(here, LIBRARIES, {"CUDA_VISIBLE_DEVICES": chosen}).device == "cpu"
    assert computes_on_cards(here, "torch", LIBRARIES)


def test_where_the_drivers_tool_fails_each_library_computes_on_the_processor_for_its_reason() -> None:
    trouble = "nvidia-smi: Failed to initialize NVML: Driver/library version mismatch"
    usable = usable_hardware(machine().model_copy(update={"card_trouble": trouble}), LIBRARIES, {})
    assert usable.card_problems == dict.fromkeys(LIBRARIES, trouble)
    beside = machine(card("RTX 3060", "8.6")).model_copy(update={"card_trouble": "nvidia-smi: [GPU is lost]"})
    assert usable_hardware(beside, LIBRARIES, {}).card_problems == {}, "the card beside it computes"


def test_a_table_that_describes_no_cards_is_refused(tmp_path: Path) -> None:
    for number, text in enumerate(["[torch", "[torch]\nversion = 3\n"]):
        path = tmp_path / f"cards{number}.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=r"is not TOML|does not describe cards"):
            load_card_libraries(path)
