"""Facts about models: two statements together know more, a certain fact is never replaced, a doubtful one is marked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.cli.commands import models_lock
from pipeline.cli.main import main
from pipeline.model_cache.facts import differences, files_of, merge_facts, sure_facts
from pipeline.model_cache.manifest import (
    UNKNOWN,
    LockedModel,
    ModelLock,
    UnknownFile,
    load_manifest,
    lock_text,
)
from pipeline.model_cache.selection import with_needs
from pipeline.plan.profile import load_profiles

REVISION = "a" * 40
DIGESTS = ("1" * 64, "2" * 64)


def model(files: dict[str, object], revision: str = REVISION) -> LockedModel:
    return LockedModel.model_validate({"repo": "org/one", "revision": revision, "files": files})


def facts(size: int | None = None, sha256: str | None = None, *one_place: str) -> dict[str, object]:
    return {"size": size, "sha256": sha256, **({"one_place": one_place} if one_place else {})}


@st.composite
def some_facts(draw: st.DrawFn) -> dict[str, object]:
    size, sha256 = draw(st.sampled_from([None, 1, 2])), draw(st.sampled_from([None, *DIGESTS]))
    stated = [fact for fact, value in (("size", size), ("sha256", sha256)) if value is not None]
    return facts(size, sha256, *(fact for fact in stated if draw(st.booleans())))


MODELS = st.builds(
    lambda revision, files: model(files, revision),
    st.sampled_from([UNKNOWN, REVISION]),
    st.dictionaries(st.sampled_from(["a", "b"]), some_facts()),
)


@given(MODELS, MODELS)
def test_a_merge_keeps_every_certain_fact_of_both_or_refuses(ours: LockedModel, theirs: LockedModel) -> None:
    try:
        merged, changes = merge_facts({"one": ours}, {"one": theirs})
    except UsageError:
        return
    for side in (ours, theirs):
        for name, file in files_of(side).items():
            for certain, now in zip(
                sure_facts(file), sure_facts(files_of(merged["one"]).get(name, UnknownFile())), strict=True
            ):
                assert certain in (None, now)
    assert merge_facts(merged, {"one": theirs})[1] == [], "a second time, nothing is new"
    assert bool(changes) == (merged["one"] != ours)
    assert ModelLock.model_validate_json(lock_text(merged)).models == merged


def test_a_fact_of_one_place_leaves_the_model_unresolved_until_a_second_one_confirms_it() -> None:
    doubtful = model({"a.bin": facts(5, DIGESTS[0], "size")})
    assert not doubtful.resolved
    assert doubtful.size == 5, "it serves as an estimate"
    assert list(differences(doubtful, model({"a.bin": facts(6, DIGESTS[0])}))) == []
    merged, changes = merge_facts({"one": doubtful}, {"one": model({"a.bin": facts(6, DIGESTS[0])})})
    assert merged["one"].resolved
    assert [(change.fact, change.old, change.new) for change in changes] == [("size", 5, 6)]


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        (model({"a.bin": facts(6, DIGESTS[0])}), "a.bin of one"),
        (model({"a.bin": facts(5, DIGESTS[1])}), "a.bin of one"),
        (model({"a.bin": facts(5, DIGESTS[0])}, "b" * 40), f"at {'b' * 40}, the lock has it at {REVISION}"),
        (model({"b.bin": facts(5, DIGESTS[0])}), "no such file"),
    ],
)
def test_a_contradiction_names_both_statements(theirs: LockedModel, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        merge_facts({"one": model({"a.bin": facts(5, DIGESTS[0])})}, {"one": theirs})
    assert says in caught.value.message
    with pytest.raises(UsageError, match="`other`, which the lock does not hold"):
        merge_facts({}, {"other": theirs})


def test_the_command_shows_what_it_takes_and_writes_nothing_when_a_fact_contradicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(CONFIG / "models.lock.json", tmp_path)
    lock = tmp_path / "models.lock.json"
    held = ModelLock.model_validate_json(lock.read_bytes()).models
    wiki = held["wikineural"]
    found = LockedModel.model_validate(
        {"repo": wiki.repo, "revision": wiki.revision, "files": {"model.safetensors": facts(9, DIGESTS[0])}}
    )
    more = tmp_path / "more.json"
    more.write_text(lock_text({"wikineural": found}), encoding="utf-8")
    monkeypatch.setattr(models_lock, "CONFIG", tmp_path)
    assert main(["models", "lock", "--facts", str(more)]) == 0
    shown = capsys.readouterr().out
    assert "model.safetensors  size    unknown  9" in shown
    assert "2 facts taken; now complete: wikineural" in shown
    assert main(["models", "lock", "--facts", str(more), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"changes": [], "resolved": []}
    before = lock.read_bytes()
    wrong = found.model_copy(
        update={"files": {"model.safetensors": found.files["model.safetensors"].model_copy(update={"size": 8})}}
    )
    more.write_text(lock_text({"wikineural": wrong}), encoding="utf-8")
    assert main(["models", "lock", "--facts", str(more)]) == 2
    assert "model.safetensors of wikineural" in capsys.readouterr().err
    assert lock.read_bytes() == before
    for bad in (tmp_path / "none.json", tmp_path):
        assert main(["models", "lock", "--facts", str(bad)]) == 4
    more.write_text("{}", encoding="utf-8")
    assert main(["models", "lock", "--facts", str(more)]) == 4


def test_the_shipped_lock_knows_every_model_of_five_profiles_and_marks_what_one_place_says() -> None:
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    profiles = load_profiles(CONFIG / "profiles")
    for name in ("starter", "balanced", "best", "apple", "nemo"):
        needed = with_needs(profiles[name].models, models)
        assert [one for one in needed if not locked[one].resolved] == [], name
    marked = {name: file for name, model in locked.items() for file, e in model.unknown.items() if e.one_place}
    assert marked == {"pyannote-wespeaker": "pytorch_model.bin"}
