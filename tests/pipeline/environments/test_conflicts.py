"""Locks tell versions, and show whether the reasons for a separate family hold."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.environments.conflicts import Resolver, check_reasons, newest_versions
from pipeline.environments.families import Family, load_families

LOCK = """\
numpy==2.4.10 ; python_full_version < '3.12' \\
    --hash=sha256:00
numpy==2.5.0 ; python_full_version >= '3.12' \\
    --hash=sha256:11
torch-audiomentations==0.12.0 \\
    --hash=sha256:22
"""


def test_a_lock_gives_each_package_once_in_its_newest_version_by_number_and_not_by_letter() -> None:
    assert newest_versions(LOCK) == {"numpy": "2.5.0", "torch-audiomentations": "0.12.0"}
    assert newest_versions("a==1.9\na==1.10\n") == {"a": "1.10"}


def test_whisper_has_the_same_libraries_on_a_card_and_cublas_as_the_only_one_more() -> None:
    """`scripts/lock lite-cuda` follows a change of `lite`."""
    lite, on_card = (
        (CONFIG / "environments" / f"{name}.lock").read_text(encoding="utf-8") for name in ("lite", "lite-cuda")
    )
    assert {
        **newest_versions(lite),
        "nvidia-cublas-cu12": newest_versions(on_card)["nvidia-cublas-cu12"],
    } == newest_versions(on_card)


def test_every_family_that_claims_to_spare_a_package_has_a_lock_without_it() -> None:
    families = load_families(CONFIG / "environments.toml")
    spared = {name: family.model_copy(update={"conflicts": (), "holds_back": ()}) for name, family in families.items()}
    found = list(check_reasons(spared, Resolver(CODE_ROOT / "pyproject.toml", CONFIG / "environments", Path())))
    assert {"lite", "mlx", "llm"} <= {claim.family for claim in found}
    assert [claim for claim in found if not claim.holds] == []


def test_a_claim_that_the_lock_contradicts_is_reported_with_the_version_it_holds(tmp_path: Path) -> None:
    (tmp_path / "some.lock").write_text(LOCK, encoding="utf-8")
    family = Family(reason="a test", probe="numpy", without=("numpy", "jax"))
    wrong, right = check_reasons({"some": family}, Resolver(tmp_path / "pyproject.toml", tmp_path, tmp_path))
    assert (wrong.holds, wrong.found) == (False, "its lock holds numpy 2.5.0")
    assert right.holds


def test_every_family_says_why_it_is_apart_in_a_way_that_can_be_proved_or_is_small() -> None:
    families = load_families(CONFIG / "environments.toml")
    unproved = {
        name for name, family in families.items() if not (family.conflicts or family.holds_back or family.without)
    }
    assert unproved == {"ffmpeg", "cluster", "serve"}, "only the size of these is not a matter of what their locks hold"
