"""Archives: what goes out comes in unchanged, and one that lies changes nothing."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput, Missing
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import LockedFile, LockedModel, ModelLock, UnknownFile
from pipeline.model_cache.overlay import LocalEntry, Overlay, read_overlay, update_overlay
from pipeline.model_cache.upkeep.archive import INDEX, Contents, import_archive
from pipeline.model_cache.upkeep.archive import export as export_models
from pipeline.model_cache.upkeep.verify import check_models
from tests.fakes.models import ALIGNER, LOCKED, MODELS, WHISPER, fill, lock, sha256, tree

WHEEL = ("a_package-1.0-py3-none-any.whl", b"PK wheel" * 100)
LONG_WHEEL = (f"b_package-1.0-cp311-cp311-{'.'.join(['manylinux_2_17_x86_64'] * 5)}.whl", b"PK long" * 10)
ALLOWED = frozenset(sha256(content) for _, content in (WHEEL, LONG_WHEEL))
Part = tuple[tarfile.TarInfo, bytes]


def export(
    target: Path, names: list[str], cache: Path, locked: Mapping[str, LockedModel], config: Path,
    wheels: list[Path], tick: Callable[[int], None],
) -> Contents:  # fmt: skip
    models = ModelCache(cache, dict.fromkeys(locked, MODELS["whisper"]), locked, "")
    return export_models(target, names, models, config, wheels, tick)


def _no_tick(size: int) -> None:
    pass


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return manifest and lock as a checkout holds them."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "models.toml").write_text("# the manifest\n", encoding="utf-8")
    ModelLock(models=LOCKED).write(folder / "models.lock.json")
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "packages"
    folder.mkdir()
    for name, content in (WHEEL, LONG_WHEEL):
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


@pytest.fixture
def archive(tmp_path: Path, config: Path, wheels: list[Path]) -> Path:
    target = tmp_path / "models.tar"
    export(target, ["whisper", "aligner"], fill(tmp_path / "cache"), LOCKED, config, wheels, _no_tick)
    return target


def _import(archive: Path, cache: Path) -> None:
    import_archive(archive, cache, LOCKED, ALLOWED, _no_tick)


def test_what_goes_out_of_one_cache_comes_whole_into_another(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    contents = import_archive(archive, other, LOCKED, ALLOWED, _no_tick)
    assert contents.models == ("aligner", "whisper")
    assert check_models(LOCKED, other, LOCKED, lambda event: None) == {"whisper": [], "aligner": []}
    assert {path.name: path.read_bytes() for path in (other / "wheels").iterdir()} == dict([WHEEL, LONG_WHEEL])
    assert (layout_of(other, "whisper", LOCKED["whisper"]).root / "refs/main").is_file()
    assert not list(other.glob("import-*"))


def test_the_same_models_give_the_same_archive(archive: Path, tmp_path: Path, config: Path, wheels: list[Path]) -> None:
    for cache in (tmp_path / "cache", fill(tmp_path / "again")):
        export(tmp_path / "b.tar", ["aligner", "whisper"], cache, LOCKED, config, wheels[::-1], _no_tick)
        assert (tmp_path / "b.tar").read_bytes() == archive.read_bytes()


def test_every_tar_reads_the_archive(archive: Path) -> None:
    with tarfile.open(archive) as reader:
        names = reader.getnames()
        assert names[0] == INDEX
        assert {f"wheels/{LONG_WHEEL[0]}", f"wheels/{WHEEL[0]}"} < set(names)
        assert all(member.isreg() and member.mtime == 0 and member.uid == 0 for member in reader)


def test_a_model_that_is_not_what_the_lock_says_is_not_exported(tmp_path: Path, config: Path) -> None:
    cache = fill(tmp_path / "cache")
    place = layout_of(cache, "whisper", LOCKED["whisper"]).snapshot / "config.json"
    for damage in (b"damaged!", b"longer than it was", b""):
        place.write_bytes(damage)
        with pytest.raises(Missing, match="not what the lock says"):
            export(tmp_path / "models.tar", ["whisper"], cache, LOCKED, config, [], _no_tick)
        assert not list(tmp_path.glob("*models.tar*"))


def test_importing_again_and_over_damage_ends_whole(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    _import(archive, other)
    (layout_of(other, "aligner", LOCKED["aligner"]).snapshot / "aligner.pt").write_bytes(b"damaged")
    _import(archive, other)
    assert check_models(LOCKED, other, LOCKED, lambda event: None) == {"whisper": [], "aligner": []}


def test_bytes_that_two_models_share_travel_once_and_arrive_in_both(tmp_path: Path, config: Path) -> None:
    locked = {"one": lock("org/one", WHISPER), "two": lock("org/two", WHISPER)}
    ModelLock(models=locked).write(config / "models.lock.json")
    cache = tmp_path / "cache"
    for name, entry in locked.items():
        layout = layout_of(cache, name, entry)
        (layout.root / "blobs").mkdir(parents=True)
        for file, content in WHISPER.items():
            layout.blob(sha256(content)).write_bytes(content)
            layout.link(file, sha256(content))
    contents = export(tmp_path / "a.tar", list(locked), cache, locked, config, [], _no_tick)
    assert contents.bytes < 2 * sum(map(len, WHISPER.values()))
    import_archive(tmp_path / "a.tar", tmp_path / "other", locked, (), _no_tick)
    assert not any(
        p
        for ps in check_models(locked, tmp_path / "other", locked, print).values()
        for p in ps
        if p.file != "refs/main"
    )


# --- Archives that somebody has tampered with -----------------------------------------------------------------------


def _read(archive: Path) -> list[Part]:
    parts: list[Part] = []
    with tarfile.open(archive) as reader:
        for member in reader:
            stream = reader.extractfile(member)
            parts.append((member, stream.read() if stream else b""))
    return parts


def _write(path: Path, parts: Iterable[Part], kind: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as writer:
        for member, content in parts:
            writer.addfile(member, io.BytesIO(content))
    return path


def _part(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Part:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = len(content), kind, link
    return entry, content


def _without(parts: list[Part], name: str) -> list[Part]:
    return [part for part in parts if part[0].name != name]


BLOB = f"blobs/{sha256(WHISPER['config.json'])}"
TAMPERED: dict[str, tuple[Callable[[list[Part]], list[Part]], str]] = {
    "an absolute name": (lambda parts: [*parts, _part("/etc/reel-was-here", b"x")], "does not belong in it"),
    "a name that climbs": (lambda parts: [*parts, _part("../../climbed", b"x")], "does not belong in it"),
    "a climbing blob": (lambda parts: [*parts, _part("blobs/../../climbed", b"x")], "does not belong in it"),
    "a file nobody wants": (lambda parts: [*parts, _part("pipeline/cli/main.py", b"x")], "does not belong in it"),
    "a symbolic link": (
        lambda parts: [*_without(parts, BLOB), _part(BLOB, b"", tarfile.SYMTYPE, "/etc/passwd")],
        "is not a regular file",
    ),
    "a hard link": (
        lambda parts: [*_without(parts, BLOB), _part(BLOB, b"", tarfile.LNKTYPE, INDEX)], "is not a regular file"
    ),
    "a device": (lambda parts: [*parts, _part("blobs/zero", b"", tarfile.CHRTYPE)], "is not a regular file"),
    "a pipe": (lambda parts: [*parts, _part("blobs/pipe", b"", tarfile.FIFOTYPE)], "is not a regular file"),
    "a folder": (lambda parts: [*parts, _part("blobs", b"", tarfile.DIRTYPE)], "is not a regular file"),
    "a member twice": (lambda parts: [*parts, _part(BLOB, WHISPER["config.json"])], "twice"),
    "other bytes": (
        lambda parts: [*_without(parts, BLOB), _part(BLOB, b'{"a": 2}')], "has sha256"
    ),
    "too many bytes": (lambda parts: [*_without(parts, BLOB), _part(BLOB, b'{"a": 1} ')], "has 9 bytes, expected 8"),
    "a missing blob": (lambda parts: _without(parts, BLOB), "does not hold `blobs/"),
    "no index": (lambda parts: parts[1:], "does not begin with"),
    "an index that is none": (lambda parts: [_part(INDEX, b"[]"), *parts[1:]], "reel-archive.json"),
    "a huge index": (lambda parts: [_part(INDEX, b" " * (17 << 20)), *parts[1:]], "bytes"),
    "a model of another project": (
        lambda parts: [_part(INDEX, b'{"models": ["evil"]}'), *parts[1:]], "holds the model 'evil'"
    ),
    "a wheel of no lock": (
        lambda parts: [
            _part(INDEX, b'{"models": [], "wheels": {"x-1.whl": {"size": 1, "sha256": "%s"}}}' % (b"0" * 64)),
            *parts[1:],
        ],
        "no lock of an environment",
    ),
    "a wheel that climbs": (
        lambda parts: [
            _part(INDEX, b'{"models": [], "wheels": {"../x.whl": {"size": 1, "sha256": "%s"}}}' % (b"0" * 64)),
            *parts[1:],
        ],
        "is not the name of a wheel",
    ),
    "another lock": (
        lambda parts: [
            (_part(part[0].name, b'{"models": {}}') if part[0].name.endswith("lock.json") else part) for part in parts
        ],
        "another lock",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_an_archive_that_was_tampered_with_is_refused_and_nothing_changes(
    how: str, archive: Path, tmp_path: Path
) -> None:
    tamper, said = TAMPERED[how]
    bad = _write(tmp_path / "bad.tar", tamper(_read(archive)))
    cache = fill(tmp_path / "target", "aligner")
    before = {name: entry for name, entry in tree(tmp_path).items() if name.startswith("target/")}
    with pytest.raises(BadInput) as caught:
        _import(bad, cache)
    assert caught.value.code == "archive.refused"
    assert said in caught.value.message
    assert before == {name: entry for name, entry in tree(tmp_path).items() if name.startswith("target/")}
    assert not list(tmp_path.parent.glob("climbed"))


def _header(name: str, size: int) -> bytearray:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return bytearray(entry.tobuf(format=tarfile.GNU_FORMAT))


def _with_checksum(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _negative() -> bytes:
    block = _header(INDEX, 0)
    block[124:136] = b"-0000000100\0"
    return _with_checksum(block)


RAW: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda data: b"", "not a whole plain tar archive (empty file)"),
    "a cut archive": (lambda data: data[: len(data) // 2], "unexpected end of data"),
    "a cut header": (lambda data: data[:700], "unexpected end of data"),
    "noise": (lambda data: os.urandom(4096), "not a whole plain tar archive"),
    "a compressed bomb": (lambda data: b"\x1f\x8b" + data[2:], "not a whole plain tar archive"),
    "a length beyond the archive": (lambda data: bytes(_header(INDEX, 1 << 20)) + b"{", "unexpected end of data"),
    "a length beyond any disk": (lambda data: bytes(_header(INDEX, 1 << 62)) + data, "bytes"),
    "a negative length": (lambda data: _negative() + data, "has -64 bytes"),
    "a long name without end": (
        lambda data: _with_checksum(bytearray(_header("././@LongLink", 1 << 40)[:156] + b"L" + bytes(355))) + data,
        "a name of",
    ),
    "an extended header without end": (
        lambda data: _with_checksum(bytearray(_header("extended", 1 << 40)[:156] + b"x" + bytes(355))) + data,
        "is not a regular file",
    ),
    "long names one after the other": (
        lambda data: tarfile.TarInfo("n" * 200).tobuf(tarfile.GNU_FORMAT)[:1024] * 5000 + data,
        "not a whole plain tar archive",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", RAW)
def test_what_is_no_whole_archive_is_refused_without_reading_what_it_claims(
    how: str, archive: Path, tmp_path: Path
) -> None:
    damage, said = RAW[how]
    bad = tmp_path / "bad.tar"
    bad.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(BadInput) as caught:
        _import(bad, tmp_path / "target")
    assert said in caught.value.message
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize(
    "change", [lambda data: data.rstrip(b"\0"), lambda data: data + b"x" * 512], ids=["cut", "longer"]
)
def test_bytes_after_the_last_file_do_not_matter(
    change: Callable[[bytes], bytes], archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.tar"
    changed = change(archive.read_bytes())
    other.write_bytes(changed + bytes(-len(changed) % 512))
    _import(other, tmp_path / "target")
    assert check_models(LOCKED, tmp_path / "target", LOCKED, lambda event: None) == {"whisper": [], "aligner": []}


@pytest.mark.skipif(os.name == "nt", reason="named pipes are of Unix")
def test_an_archive_comes_through_a_pipe(archive: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe.write_bytes, archive.read_bytes())
        _import(pipe, tmp_path / "target")
    assert check_models(LOCKED, tmp_path / "target", LOCKED, lambda event: None) == {"whisper": [], "aligner": []}


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_other_dialects_of_tar_are_not_ours(kind: int, archive: Path, tmp_path: Path) -> None:
    parts = [part for part in _read(archive) if LONG_WHEEL[0] not in part[0].name]
    parts.append(_part(f"{'d' * 60}/{'n' * 90}", b"x"))
    with pytest.raises(BadInput):
        _import(_write(tmp_path / "bad.tar", parts, kind), tmp_path / "target")


def test_an_archive_that_is_not_there_or_is_a_folder_is_said_to_be(tmp_path: Path) -> None:
    for place in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(BadInput) as caught:
            _import(place, tmp_path / "target")
        assert caught.value.code == "archive.unreadable"


def test_a_lock_that_has_moved_on_is_named(archive: Path, tmp_path: Path) -> None:
    newer: dict[str, LockedModel] = {**LOCKED, "aligner": lock(None, {"aligner.pt": ALIGNER["aligner.pt"] + b"."})}
    with pytest.raises(BadInput, match="another lock of the model aligner"):
        import_archive(archive, tmp_path / "target", newer, ALLOWED, _no_tick)


@pytest.fixture
def locked_here(tmp_path: Path) -> Path:
    """Return an archive of a model that the exporting machine locked at first use."""
    entry = LOCKED["whisper"]
    here = LocalEntry(hub="a.hub", repo=entry.repo, revision=entry.revision, files=entry.files)
    update_overlay(tmp_path / "own", {"whisper": here, "another": here})
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "models.toml").write_text("", encoding="utf-8")
    ModelLock(models={"whisper": UNLOCKED}).write(tmp_path / "config" / "models.lock.json")
    overlay = Overlay(tmp_path / "own", {"whisper": UNLOCKED}, frozenset({"whisper"}))
    models = ModelCache(fill(tmp_path / "cache"), MODELS, LOCKED, "", overlay=overlay)
    export_models(tmp_path / "here.tar", ["whisper"], models, tmp_path / "config", [], _no_tick)
    return tmp_path / "here.tar"


UNLOCKED = LockedModel(repo="org/whisper", revision=LOCKED["whisper"].revision, files={})


def test_an_archive_carries_what_was_locked_at_first_use(locked_here: Path, tmp_path: Path) -> None:
    asked: list[Mapping[str, LockedModel]] = []
    new = tmp_path / "new"
    contents = import_archive(locked_here, new, {"whisper": UNLOCKED}, (), _no_tick, asked.append)
    assert contents.here.keys() == {"whisper"}
    assert asked == [{"whisper": LOCKED["whisper"]}]
    assert check_models(["whisper"], new, LOCKED, lambda event: None) == {"whisper": []}
    update_overlay(tmp_path / "theirs", contents.here)
    assert read_overlay(tmp_path / "theirs")["whisper"].locked == LOCKED["whisper"]
    assert import_archive(locked_here, tmp_path / "third", LOCKED, (), _no_tick, asked.append).here == {}
    assert len(asked) == 1, "a lock that knows the model asks nothing"


def test_what_is_not_accepted_or_contradicts_the_lock_here_changes_nothing(locked_here: Path, tmp_path: Path) -> None:
    def refuse(found: Mapping[str, LockedModel]) -> None:
        raise Missing("model.code-unaccepted", "no")

    new = tmp_path / "new"
    with pytest.raises(Missing, match="no"):
        import_archive(locked_here, new, {"whisper": UNLOCKED}, (), _no_tick, refuse)
    other = UNLOCKED.model_copy(update={"unknown": {"config.json": UnknownFile(size=1)}})
    moved = UNLOCKED.model_copy(update={"revision": "f" * 40})
    resolved = LOCKED["whisper"].model_copy(update={"files": {"config.json": LockedFile(size=1, sha256="0" * 64)}})
    for ours in (other, moved, resolved):
        with pytest.raises(BadInput) as caught:
            import_archive(locked_here, new, {"whisper": ours}, (), _no_tick)
        assert caught.value.code == "archive.refused"
        assert "the same release of reel on both machines" in str(caught.value.hint)
    assert list(new.iterdir()) == []
