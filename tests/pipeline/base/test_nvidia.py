"""Claims about the cards that the driver's tool reports, and those that a user's variable leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.base import nvidia
from pipeline.base.nvidia import Card, ask_cards, ask_use, find_traces, visible_cards
from tests.fakes.nvidia import broken_tool, fake_card, fake_tool, uuid_of

CARDS = tuple(Card(name=f"card {number}", uuid=uuid_of(number)) for number in range(3))


def test_a_card_is_told_with_everything_that_decides_what_computes_on_it(tmp_path: Path) -> None:
    found = ask_cards(fake_tool(tmp_path, [fake_card(), fake_card("NVIDIA L4", "8.9", 23034)]), tmp_path)
    assert found.trouble == ""
    assert found.cards == (
        Card(name="NVIDIA GeForce RTX 3090", memory_mib=24576, uuid=uuid_of(0), capability="8.6", driver="550.54.14"),
        Card(name="NVIDIA L4", memory_mib=23034, uuid=uuid_of(1), capability="8.9", driver="550.54.14"),
    )


def test_a_driver_that_does_not_know_the_question_for_the_capability_is_asked_for_the_rest(tmp_path: Path) -> None:
    path = broken_tool(
        tmp_path,
        "#!/bin/sh\ncase $1 in *compute_cap*) echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2;; "
        "esac\n"
        f"echo '{uuid_of(0)}, Tesla K80, 11441, 470.82.01'\n",
    )
    (card,) = ask_cards(path, tmp_path).cards
    assert (card.name, card.driver, card.capability) == ("Tesla K80", "470.82.01", "")


@pytest.mark.parametrize("status", [0, 15])
def test_a_line_of_complaint_is_no_card_whatever_the_exit_status(tmp_path: Path, status: int) -> None:
    complaint = "Unable to determine the device handle for GPU0000:0B:00.0: Unknown Error"
    found = ask_cards(broken_tool(tmp_path, f"#!/bin/sh\necho '{complaint}'\nexit {status}\n"), tmp_path)
    assert found.cards == ()
    assert complaint in found.trouble


def test_the_cards_beside_one_that_is_lost_are_found(tmp_path: Path) -> None:
    found = ask_cards(fake_tool(tmp_path, [fake_card(), {"uuid": "[GPU is lost]"}]), tmp_path)
    assert [card.uuid for card in found.cards] == [uuid_of(0)]
    assert "GPU is lost" in found.trouble


def test_a_tool_that_cannot_tell_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia0").touch()
    failing = broken_tool(tmp_path / "failing", "#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2\nexit 9\n")
    assert ask_cards(failing, tmp_path) == nvidia.CardsFound((), "nvidia-smi: NVIDIA-SMI has failed")
    assert "exit status 9" in ask_cards(broken_tool(tmp_path / "silent", "#!/bin/sh\nexit 9\n"), tmp_path).trouble
    assert "cannot be run" in ask_cards(broken_tool(tmp_path / "wrong", "#!/nowhere\n"), tmp_path).trouble
    monkeypatch.setattr(nvidia, "_LIMIT_S", 0.1)
    assert "no answer" in ask_cards(broken_tool(tmp_path / "hung", "#!/bin/sh\nexec sleep 60\n"), tmp_path).trouble


def test_without_the_tool_a_device_file_is_a_card_of_which_nothing_is_known(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    found = ask_cards(None, tmp_path)
    assert found.cards == (Card(name="NVIDIA card 0", uuid="0"), Card(name="NVIDIA card 1", uuid="1"))
    assert "nvidia-smi was not found" in found.trouble
    for name in ("nvidia2", "nvidia10"):
        (tmp_path / name).touch()
    assert [card.name for card in visible_cards(ask_cards(None, tmp_path).cards, "3,0")] == [
        "NVIDIA card 10",
        "NVIDIA card 0",
    ]


def test_inside_wsl2_the_card_is_found_though_it_has_no_device_file_and_its_tool_is_on_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = tmp_path / "dev"
    devices.mkdir()
    (devices / "dxg").touch()
    folder = fake_tool(tmp_path / "wsl", [fake_card(driver="560.94")])
    monkeypatch.setattr(nvidia, "_FOLDERS", (folder,))
    before = find_traces("/nowhere", devices, tmp_path)
    assert before.startswith("dxg ")
    assert [card.driver for card in ask_cards("/nowhere", devices).cards] == ["560.94"]
    tool = Path(folder) / "nvidia-smi"
    os.utime(tool, (1e9, 1e9))
    assert find_traces("/nowhere", devices, tmp_path) != before, "each driver brings its own tool"


def test_the_tool_is_also_looked_for_where_wsl2_and_windows_have_it() -> None:
    assert "/usr/lib/wsl/lib" in nvidia._FOLDERS
    assert any("NVSMI" in folder for folder in nvidia._FOLDERS)


def test_a_driver_without_a_card_is_no_trouble(tmp_path: Path) -> None:
    path = broken_tool(tmp_path, "#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    assert ask_cards(path, tmp_path) == nvidia.CardsFound()


def test_a_card_cut_into_slices_is_its_slices_with_the_memory_of_each(tmp_path: Path) -> None:
    listed = (
        f"GPU 0: NVIDIA A100-SXM4-80GB (UUID: {uuid_of(0)})\n"
        "  MIG 3g.40gb     Device  0: (UUID: MIG-aaaa)\n"
        "  MIG 1g.10gb+me  Device  1: (UUID: MIG-bbbb)\n"
        f"GPU 1: NVIDIA A100-SXM4-80GB (UUID: {uuid_of(1)})\n"
    )
    cut, whole = fake_card("NVIDIA A100-SXM4-80GB", "8.0", 81920, mig="Enabled"), fake_card(mig="Disabled")
    found = ask_cards(fake_tool(tmp_path, [cut, whole], listed), tmp_path)
    assert [(card.uuid, card.memory_mib, card.slice_of) for card in found.cards] == [
        ("MIG-aaaa", 38146, uuid_of(0)),
        ("MIG-bbbb", 9536, uuid_of(0)),
        (uuid_of(1), 24576, ""),
    ]
    assert [card.uuid for card in visible_cards(found.cards, "0")] == ["MIG-aaaa", "MIG-bbbb"]
    assert [card.uuid for card in visible_cards(found.cards, "MIG-bbbb")] == ["MIG-bbbb"]
    assert [card.uuid for card in visible_cards(found.cards, "1")] == [uuid_of(1)]


def test_a_card_in_mig_mode_without_a_slice_is_told(tmp_path: Path) -> None:
    found = ask_cards(fake_tool(tmp_path, [fake_card("NVIDIA A30", mig="Enabled")], "\n"), tmp_path)
    assert found == nvidia.CardsFound((), "NVIDIA A30 is in MIG mode and has no slice")


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (None, [0, 1, 2]), ("", []), ("-1", []), ("9", []), ("NoDevFiles", []), ("2", [2]), ("2,0", [2, 0]),
        ("0,9,1", [0]), ("1,1", [1]), (" 1 , 2 ", [1, 2]), (uuid_of(1), [1]), (uuid_of(2).lower(), []),
        ("GPU-0000", []), ("GPU-9", []), (f"{uuid_of(2)},{uuid_of(0)}", [2, 0]), ("\u00b2", []), ("0x1", []),
    ],
)  # fmt: skip
def test_the_variable_leaves_what_it_leaves_to_cuda(chosen: str | None, left: list[int]) -> None:
    assert visible_cards(CARDS, chosen) == tuple(CARDS[number] for number in left)


def test_a_beginning_that_only_one_card_has_stands_for_it() -> None:
    first, second = (Card(name="a card", uuid=f"GPU-{number}") for number in ("5a31", "5b77"))
    assert visible_cards([first, second], "GPU-5b") == (second,)
    assert visible_cards([first, second], "GPU-5") == ()


def test_memory_in_use_is_told_by_card_and_process(tmp_path: Path) -> None:
    processes = f"{uuid_of(0)}, 4711, 6900\n{uuid_of(0)}, 4712, [N/A]"
    path = fake_tool(tmp_path, [fake_card(free=1000), fake_card()], processes=processes)
    use = ask_use(path)
    assert use[uuid_of(0)].free_mb == pytest.approx(1048.576)
    assert use[uuid_of(0)].processes == {4711: pytest.approx(7235.1744)}
    assert use[uuid_of(1)].processes == {}
    assert ask_use(broken_tool(tmp_path, "#!/bin/sh\necho error\n")) == {}


def test_traces_change_with_cards_driver_and_tool_and_are_none_without(tmp_path: Path) -> None:
    devices, driver = tmp_path / "dev", tmp_path / "driver"
    devices.mkdir()
    driver.mkdir()
    seen = {find_traces(None, devices, driver)}
    assert seen == {""}
    (devices / "dxg").touch()
    assert find_traces(None, devices, driver) == "", "WSL2 with the card of another maker"
    seen.add(find_traces(fake_tool(tmp_path / "tool", []), devices, driver))
    (devices / "nvidia0").touch()
    seen.add(find_traces(None, devices, driver))
    (driver / "version").write_text("NVRM version: 550.54.14\nGCC version: 12\n", encoding="utf-8")
    seen.add(find_traces(None, devices, driver))
    information = driver / "gpus" / "0000:01:00.0" / "information"
    information.parent.mkdir(parents=True)
    for model, uuid in (("GTX 1060", uuid_of(0)), ("RTX 3090", uuid_of(1)), ("RTX 3090", uuid_of(2))):
        information.write_text(f"Model: \t\t {model}\nIRQ:   \t\t 1\nGPU UUID: \t {uuid}\n", encoding="utf-8")
        seen.add(find_traces(None, devices, driver))
    (driver / "capabilities" / "gpu0" / "mig" / "gi1" / "ci0").mkdir(parents=True)
    seen.add(find_traces(None, devices, driver))
    assert len(seen) == 8
