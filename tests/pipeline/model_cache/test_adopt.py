"""Taking over other caches: by content, whatever the layout, and the source stays as it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import HubSource, LockedModel, Model, UnknownFile
from pipeline.model_cache.upkeep.adopt import Adopted, adopt
from pipeline.model_cache.upkeep.proof import proven
from pipeline.model_cache.upkeep.verify import check_models
from tests.fakes.models import ALIGNER, LOCKED, REVISION, WHISPER, fill, sha256, tree

SIZE = sum(map(len, WHISPER.values()))


def _whole(cache: Path, name: str) -> bool:
    return check_models([name], cache, LOCKED, lambda event: None) == {name: []}


def _repository(folder: Path) -> Path:
    """Return `models--org--whisper` as a hub client leaves it: small files by their git digest, links, no
    `refs/main`."""
    root = folder / "models--org--whisper"
    for name, content in WHISPER.items():
        blob = root / "blobs" / sha256(b"git" + content)[:40]
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = root / "snapshots" / REVISION / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return root


@pytest.mark.parametrize("below", ["hub", "."], ids=["with hub/", "without hub/"])
def test_a_hub_cache_is_taken_over_in_both_of_its_layouts_and_not_changed(below: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    _repository(source / below)
    before = tree(source)
    outcome = adopt([source], tmp_path / "cache", LOCKED)
    assert outcome.adopted == [Adopted("whisper", 2, 0, 0, SIZE, ())]
    assert outcome.wrong == []
    assert _whole(tmp_path / "cache", "whisper")
    assert tree(source) == before
    weights = layout_of(tmp_path / "cache", "whisper", LOCKED["whisper"]).snapshot / "weights/model.bin"
    assert weights.samefile(source / below / "models--org--whisper/snapshots" / REVISION / "weights/model.bin")


def test_where_links_are_impossible_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "another disk")

    _repository(tmp_path / "source")
    monkeypatch.setattr(os, "link", refuse)
    outcome = adopt([tmp_path / "source"], tmp_path / "cache", LOCKED)
    assert outcome.adopted == [Adopted("whisper", 0, 2, 0, SIZE, ())]
    assert _whole(tmp_path / "cache", "whisper")


def test_torch_checkpoints_and_plain_folders_are_recognised_by_content(tmp_path: Path) -> None:
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "whatever-it-was-called.pt").write_bytes(ALIGNER["aligner.pt"])
    plain = tmp_path / "my whisper"
    plain.mkdir()
    (plain / "model.bin").write_bytes(WHISPER["weights/model.bin"])
    (plain / "config.json").write_bytes(WHISPER["config.json"])
    outcome = adopt([tmp_path / "torch", plain], tmp_path / "cache", LOCKED)
    assert {adopted.model: adopted.missing for adopted in outcome.adopted} == {"whisper": (), "aligner": ()}
    assert _whole(tmp_path / "cache", "aligner")
    assert _whole(tmp_path / "cache", "whisper")


def test_a_cache_split_over_two_roots_ends_whole(tmp_path: Path) -> None:
    """One library wrote below `hub/`, another, told by an old variable, beside it; and each had but half."""
    home = tmp_path / "cache" / "huggingface"
    outer, inner = _repository(home), _repository(home / "hub")
    shutil.rmtree(outer / "snapshots" / REVISION / "weights")
    (outer / "blobs" / sha256(b"git" + WHISPER["weights/model.bin"])[:40]).unlink()
    (inner / "snapshots" / REVISION / "config.json").unlink()
    (inner / "blobs" / sha256(b"git" + WHISPER["config.json"])[:40]).unlink()
    assert not _whole(tmp_path / "cache", "whisper")
    outcome = adopt([home], tmp_path / "cache", LOCKED)
    assert [(adopted.model, adopted.missing) for adopted in outcome.adopted] == [("whisper", ())]
    assert _whole(tmp_path / "cache", "whisper")


def test_wrong_bytes_are_named_and_not_taken(tmp_path: Path) -> None:
    root = _repository(tmp_path / "source")
    weights = root / "snapshots" / REVISION / "weights/model.bin"
    weights.write_bytes(b"x" * len(WHISPER["weights/model.bin"]))
    outcome = adopt([tmp_path / "source"], tmp_path / "cache", LOCKED)
    assert outcome.adopted == [Adopted("whisper", 1, 0, 0, 8, ("weights/model.bin",))]
    assert outcome.wrong == [
        f"{weights} has sha256 {sha256(weights.read_bytes())}, expected {sha256(WHISPER['weights/model.bin'])}"
    ]
    weights.write_bytes(b"cut")
    (wrong,) = adopt([tmp_path / "source"], tmp_path / "cache", LOCKED).wrong
    assert wrong == f"{weights} has 3 bytes, expected {len(WHISPER['weights/model.bin'])}"
    assert not _whole(tmp_path / "cache", "whisper")


def test_a_truncated_checkpoint_is_named(tmp_path: Path) -> None:
    place = tmp_path / "source" / "aligner.pt"
    place.parent.mkdir()
    place.write_bytes(ALIGNER["aligner.pt"][:-1])
    assert "has 29999 bytes, expected 30000" in adopt([place.parent], tmp_path / "cache", LOCKED).wrong[0]


def test_another_revision_and_a_strangers_files_were_not_looked_for(tmp_path: Path) -> None:
    other = tmp_path / "source" / "models--org--whisper" / "snapshots" / ("f" * 40) / "config.json"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"older")
    (tmp_path / "source" / "models--a--b").mkdir()
    (tmp_path / "source" / "models--a--b" / "config.json").write_bytes(b"b's")
    outcome = adopt([tmp_path / "source"], tmp_path / "cache", LOCKED)
    assert outcome.wrong == []
    assert outcome.ignored == {"models--org--whisper": 5, "models--a--b": 3}


def test_a_small_file_that_many_models_share_makes_no_model_of_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "config.json").write_bytes(WHISPER["config.json"])
    assert adopt([tmp_path / "source"], tmp_path / "cache", LOCKED).adopted == []
    assert not (tmp_path / "cache").exists()


def test_links_in_circles_and_into_nowhere_are_passed_by(tmp_path: Path) -> None:
    _repository(tmp_path / "source")
    (tmp_path / "source" / "circle").symlink_to("circle")
    (tmp_path / "source" / "nowhere").symlink_to("gone")
    (tmp_path / "source" / "up").symlink_to("..")
    assert len(adopt([tmp_path / "source"], tmp_path / "cache", LOCKED).adopted) == 1


def test_a_second_time_everything_is_there(tmp_path: Path) -> None:
    source = fill(tmp_path / "source")
    adopt([source], tmp_path / "cache", LOCKED)
    again = adopt([source], tmp_path / "cache", LOCKED)
    assert [(adopted.present, adopted.bytes) for adopted in again.adopted] == [(2, 0), (1, 0)]


def test_a_damaged_file_of_ours_is_replaced_by_a_good_one(tmp_path: Path) -> None:
    cache = fill(tmp_path / "cache")
    (layout_of(cache, "aligner", LOCKED["aligner"]).snapshot / "aligner.pt").write_bytes(b"x" * 30_000)
    adopt([fill(tmp_path / "source")], cache, LOCKED)
    assert _whole(cache, "aligner")


NLLB = {"config.json": b"{}", "weights.index.json": b"", "a.bin": b"w" * 900, "b.bin": b"v" * 800, "README.md": b"#"}
NLLB["weights.index.json"] = json.dumps({"weight_map": {"x": "a.bin", "y": "b.bin"}}).encode()
SOURCE = HubSource(kind="hub", allow=("*.json", "*.bin"))
A_MODEL = {"nllb": Model(summary="nllb", licence="MIT", sources=(SOURCE,))}


def _unlocked(**more: object) -> dict[str, LockedModel]:
    known = {"config.json": UnknownFile(), "weights.index.json": UnknownFile(), **more}
    return {"nllb": LockedModel(repo="org/nllb", revision=REVISION, files={}, unknown=known)}


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _hub_cache(folder: Path, *without: str, wrong: str = "") -> Path:
    """Return a cache as the hub's client leaves it: small files by their git digest, large ones by their sha256."""
    root = folder / "hub" / "models--org--nllb"
    for name, content in NLLB.items():
        if name in without:
            continue
        blob = root / "blobs" / (sha256(content) if name.endswith(".bin") else _git(content))
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content + b"!" if name == wrong else content)
        link = root / "snapshots" / REVISION / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return folder


def test_a_cache_at_the_pinned_commit_proves_the_bytes_of_a_model_that_no_lock_knows(tmp_path: Path) -> None:
    found = proven([_hub_cache(tmp_path / "other")], A_MODEL, _unlocked())
    assert {name: (file.size, file.sha256) for name, file in found["nllb"].files.items()} == {
        name: (len(content), sha256(content)) for name, content in NLLB.items() if name != "README.md"
    }
    outcome = adopt([tmp_path / "other"], tmp_path / "cache", found)
    assert outcome.adopted[0].missing == ()
    assert check_models(["nllb"], tmp_path / "cache", found, lambda event: None) == {"nllb": []}


@pytest.mark.parametrize(
    ("without", "wrong", "known"),
    [
        ("config.json", "", {}),
        ("b.bin", "", {}),
        ("", "config.json", {}),
        ("", "a.bin", {}),
        ("", "", {"a.bin": UnknownFile(size=1)}),
        ("", "", {"c.bin": UnknownFile()}),
    ],
    ids=["known file missing", "part missing", "small bytes", "large bytes", "contradicts", "another file missing"],
)
def test_what_is_incomplete_altered_or_contradicts_the_lock_proves_nothing(
    tmp_path: Path, without: str, wrong: str, known: dict[str, object]
) -> None:
    assert proven([_hub_cache(tmp_path, without, wrong=wrong)], A_MODEL, _unlocked(**known)) == {}


def test_another_commit_plain_files_and_an_unknown_list_of_files_prove_nothing(tmp_path: Path) -> None:
    cache = _hub_cache(tmp_path)
    updates: list[dict[str, object]] = [{"revision": "b" * 40}, {"revision": "unknown"}, {"unknown": {}}]
    for update in updates:
        assert proven([cache], A_MODEL, {"nllb": _unlocked()["nllb"].model_copy(update=update)}) == {}
    link = cache / "hub/models--org--nllb/snapshots" / REVISION / "config.json"
    link.unlink()
    link.write_bytes(NLLB["config.json"])
    assert proven([cache], A_MODEL, _unlocked()) == {}, "nothing says that these are the hub's bytes"
