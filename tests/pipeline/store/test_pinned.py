"""Pinned contents stay known until each name that needs them lets them go."""

from __future__ import annotations

from pathlib import Path

from pipeline.store.pinned import pin, pinned, unpin

ONE, OTHER, THIRD = ("a" * 64, "b" * 64, "c" * 64)


def test_contents_are_pinned_by_name_until_the_last_name_lets_them_go(tmp_path: Path) -> None:
    root = tmp_path / "results"
    assert pinned(root) == set()
    pin(root, "film", [ONE, OTHER])
    pin(root, "copy", [OTHER, THIRD])
    assert pinned(root) == {ONE, OTHER, THIRD}
    pin(root, "film", [ONE])  # in the place of what the name needed before
    unpin(root, "copy")
    assert pinned(root) == {ONE}
    unpin(root, "copy")
    unpin(root, "film")
    assert pinned(root) == set()


def test_what_is_not_a_pin_is_passed_over(tmp_path: Path) -> None:
    pin(tmp_path, "film", [ONE])
    (tmp_path / "pins" / "folder").mkdir()
    (tmp_path / "pins" / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "pins" / "notes").write_text(f"see {OTHER[:60]}\n", encoding="utf-8")
    assert pinned(tmp_path) == {ONE}
