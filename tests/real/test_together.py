"""The resolver itself is asked what keeps environments apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import Missing
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.environments.conflicts import Resolver, check_reasons
from pipeline.environments.families import Family, load_families
from tests.conftest import ROOT

RESOLVER = Resolver(CODE_ROOT / "pyproject.toml", CONFIG / "environments", ROOT / ".cache")


def test_every_declared_reason_why_a_family_is_apart_holds() -> None:
    found = list(check_reasons(load_families(CONFIG / "environments.toml"), RESOLVER))
    assert [f"{claim.family} {claim.text}: {claim.found}" for claim in found if not claim.holds] == []


def test_a_reason_that_has_gone_is_reported() -> None:
    family = Family(reason="once they did not fit", probe="", conflicts=("lite",), holds_back=("lite",))
    assert [(claim.text, claim.holds) for claim in check_reasons({"llm": family}, RESOLVER)] == [
        ("conflicts with lite", False),
        ("holds back lite", False),
    ]


def test_a_resolver_without_an_index_is_no_proof_of_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(Missing) as told:
        Resolver(RESOLVER.groups, RESOLVER.locks, tmp_path).resolve_pair("llm", "lite")
    assert told.value.code == "environment.resolve"
