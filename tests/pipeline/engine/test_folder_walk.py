"""Every command finds the same media files in a folder, and counts the same skipped files."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput, UsageError
from pipeline.engine import folder_walk
from pipeline.engine.folder_walk import FolderWalk, describe_skipped
from pipeline.engine.media_list import find_media, read_list
from pipeline.engine.watch import Watch
from pipeline.publishing.record import JOB, Job
from tests.conftest import Reel

STUB = {"REEL_STUB": "true"}


def published(folder: Path, media: Path, *names: str) -> None:
    """Write what `reel` leaves in a folder that it publishes into."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(f"published {name}", encoding="utf-8")
    files = dict.fromkeys(names, "0" * 64)
    job = Job(media=str(media), media_sha256="1" * 64, recipe="subtitle", profile="starter", files=files, steps={},
              licences={})  # fmt: skip
    job.write(folder / JOB)


def media_below(folder: Path, walk: FolderWalk | None = None) -> list[str]:
    return [os.path.relpath(entry.path, folder) for entry in (walk or FolderWalk()).media(str(folder))]


def put(place: Path, content: bytes = b"content") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


WORDS = st.text("abz Ää1-", min_size=1, max_size=4).map(str.strip).filter(bool)
MEDIA_NAMES = st.builds(
    lambda word, suffix: f"{word}{suffix}", WORDS, st.sampled_from([".mkv", ".MP4", ".m4b", ".vob"])
)


@dataclass
class Tree:
    """Folder tree, with the files that a walk should find and the counts that it should report."""

    root: Path
    wanted: set[Path] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)

    def add(self, folder: Path, kind: str, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        KINDS[kind](self, folder, name)


def _media(tree: Tree, folder: Path, name: str) -> None:
    tree.wanted.add(put(folder / name))


def _linked(tree: Tree, folder: Path, name: str) -> None:
    target = put(tree.root.parent / "elsewhere" / "film.bin")
    (folder / name).symlink_to(target)
    tree.wanted.add(folder / name)


def _other(tree: Tree, folder: Path, name: str) -> None:
    put(folder / f"{name}.nfo")


def _debris(reason: str, make: Callable[[Path, str], object]) -> Callable[[Tree, Path, str], None]:
    def add(tree: Tree, folder: Path, name: str) -> None:
        make(folder, name)
        tree.passed[reason] += 1

    return add


def _own(tree: Tree, folder: Path, name: str) -> None:
    """Make published folders of both layouts: one of its own, and the very folder of the film."""
    published(folder / f"{name}.d", folder / name, "a.mkv", "a.en.srt")
    tree.wanted.add(put(folder / f"{name}.d" / "the user's.mkv"))
    tree.passed[folder_walk.PUBLISHED] += 1


def _sidecar(folder: Path, name: str) -> None:
    put(folder / name)
    put(folder / f"{name}.aria2")


def _aria2(tree: Tree, folder: Path, name: str) -> None:
    _sidecar(folder, name)
    tree.passed[folder_walk.PARTIAL] += 2


KINDS: dict[str, Callable[[Tree, Path, str], None]] = {
    "media": _media,
    "linked": _linked,
    "other": _other,
    "own": _own,
    "aria2": _aria2,
    "hidden": _debris(folder_walk.HIDDEN, lambda folder, name: put(folder / f".{name}")),
    "apple": _debris(folder_walk.HIDDEN, lambda folder, name: put(folder / f"._{name}")),
    "hidden folder": _debris(folder_walk.HIDDEN, lambda folder, name: put(folder / f".{name}.d" / name)),
    "partial": _debris(folder_walk.PARTIAL, lambda folder, name: put(folder / f"{name}.part")),
    "bin": _debris(folder_walk.SYSTEM, lambda folder, name: put(folder / f"{name}.e" / "#Recycle" / name)),
    "thumbs": _debris(folder_walk.SYSTEM, lambda folder, name: put(folder / f"{name}.f" / "@eaDir" / name / name)),
    "fifo": _debris(folder_walk.SPECIAL, lambda folder, name: os.mkfifo(folder / name)),
    "dangling": _debris(folder_walk.BROKEN_LINK, lambda folder, name: (folder / name).symlink_to("nothing")),
    "loop": _debris(folder_walk.BROKEN_LINK, lambda folder, name: (folder / name).symlink_to(name)),
    "circle": _debris(folder_walk.LINKED_FOLDER, lambda folder, name: (folder / f"{name}.up").symlink_to("..")),
}
LEAVES = st.tuples(st.lists(WORDS, max_size=3), st.sampled_from(sorted(KINDS)), MEDIA_NAMES)


@given(st.lists(LEAVES, max_size=25))
def test_run_plan_and_watch_find_and_count_the_same_files(leaves: list[tuple[list[str], str, str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(Path(place, "lib"))
        tree.root.mkdir()
        for number, (folders, kind, name) in enumerate(leaves):
            tree.add(tree.root.joinpath(*folders), kind, f"{number}{name}")
        walk = FolderWalk()
        found = [Path(entry.path) for entry in walk.media(str(tree.root))]
        assert set(found) == tree.wanted
        assert len(found) == len(tree.wanted)
        assert walk.passed == +tree.passed
        assert found == sorted(found, key=lambda path: path.parts), "each folder by name"
        again = FolderWalk()
        if found:
            assert find_media([str(tree.root)], Path.cwd(), again) == found
            assert again.passed == walk.passed
        notices: list[str] = []
        watch = Watch([tree.root], 0, FolderWalk(), notices.append)
        watch.look(0)
        assert watch.look(1) == found
        assert notices == [text] if (text := describe_skipped(walk.passed)) else not notices


@pytest.mark.parametrize(
    "name",
    ["a.mkv.part", "a.mp4.crdownload", "a.avi.!qB", "a.avi.!ut", "a.mkv.partial~", "a.mp4.tmp", "a.temp.mp4",
     "a.mp4.temp", "a.mkv.filepart", "Unconfirmed 123.crdownload", "a.webm.ytdl", "a.mkv.!bt", "a.mkv.aria2",
     "a.mov.download/a.mov", "_UNPACK_a/a.mkv", "_FAILED_a/a.mkv"],
)  # fmt: skip
def test_an_incomplete_download_is_skipped_and_counted(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    walk = FolderWalk()
    assert media_below(tmp_path, walk) == []
    assert walk.passed == {folder_walk.PARTIAL: 1}


def test_only_an_empty_placeholder_counts_as_part_of_a_browsers_download(tmp_path: Path) -> None:
    for name, content in (("a.mp4", b""), ("a.mp4.part", b"half"), ("b.mp4", b"whole"), ("b.mp4.part", b"again")):
        put(tmp_path / name, content)
    assert media_below(tmp_path) == ["b.mp4"]


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "#recycle", "$RECYCLE.BIN", ".Trashes/501", ".Trash-1000/files", "lost+found", ".AppleDouble",
     "System Volume Information", ".snapshot/daily", "#snapshot", "@Recycle", "__MACOSX", ".zfs/snapshot"],
)  # fmt: skip
def test_files_in_system_folders_are_not_media(tmp_path: Path, folder: str) -> None:
    put(tmp_path / folder / "film.mkv")
    walk = FolderWalk()
    assert media_below(tmp_path, walk) == []
    assert sum(walk.passed.values()) == 1
    with pytest.raises(UsageError, match="passed over: 1 "):
        find_media(["."], tmp_path, FolderWalk())


@pytest.mark.parametrize(
    "name", ["sample/film-sample.mkv", "film-trailer.mp4", "Part 1.part1.mkv", "[1].mkv", "a.b.c.avi"]
)
def test_samples_trailers_and_odd_names_are_found(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    assert media_below(tmp_path) == [name]


def test_the_users_film_is_found_in_a_folder_that_reel_published_into(tmp_path: Path) -> None:
    film = put(tmp_path / "Film (2020)" / "Film (2020).mkv")
    published(film.parent, film, "Film (2020).reel.mkv", "Film (2020).en.srt")
    walk = FolderWalk()
    assert media_below(tmp_path, walk) == ["Film (2020)/Film (2020).mkv"]
    assert walk.passed == {folder_walk.PUBLISHED: 1}
    published(film.parent, film, film.name, "Film (2020).reel.mkv")
    assert media_below(tmp_path) == ["Film (2020)/Film (2020).mkv"], "the media of the job is never passed over"


def test_files_that_a_killed_job_left_are_not_the_users(tmp_path: Path) -> None:
    """A job that is killed while it publishes names the files of the job before it under `earlier`."""
    put(tmp_path / "film.mp4")
    published(tmp_path, tmp_path / "film.avi", "film.mkv")
    job = Job.read(tmp_path / JOB).model_copy(update={"earlier": {"film.mp4": ("2" * 64,)}})
    job.write(tmp_path / JOB)
    assert media_below(tmp_path) == []


def test_a_published_name_is_recognised_in_any_unicode_composition(tmp_path: Path) -> None:
    name = "Amélie.mkv"
    published(tmp_path / "out", tmp_path / name, unicodedata.normalize("NFC", name))
    (tmp_path / "out" / unicodedata.normalize("NFC", name)).rename(
        tmp_path / "out" / unicodedata.normalize("NFD", name)
    )
    assert media_below(tmp_path) == []


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"not JSON", b"\xff\xfe", b'{"files": {"film.mkv": "x"}}', b""])
def test_a_job_file_of_another_program_hides_no_film(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / "film.mkv")
    put(tmp_path / JOB, content)
    assert media_below(tmp_path) == ["film.mkv"]


@pytest.mark.parametrize("damage", [lambda text: text[:-40], lambda text: text.replace(b"starter", b"\xff\xfe")])
def test_files_beside_a_damaged_record_are_skipped_and_reported(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    published(tmp_path / "out", tmp_path / "film.mkv", "film.mkv")
    put(tmp_path / "out" / JOB, damage((tmp_path / "out" / JOB).read_bytes()))
    walk = FolderWalk()
    assert media_below(tmp_path, walk) == []
    assert walk.passed == {folder_walk.UNREADABLE_JOB: 1}


def test_a_repeated_walk_notices_newly_published_files(tmp_path: Path) -> None:
    walk = FolderWalk()
    published(tmp_path / "out", tmp_path / "film.mkv", "film.mkv")
    put(tmp_path / "out" / "more.mkv")
    assert media_below(tmp_path, walk) == ["out/more.mkv"]
    published(tmp_path / "out", tmp_path / "film.mkv", "film.mkv", "more.mkv")
    assert media_below(tmp_path, walk) == []


def test_reels_own_folders_are_skipped_through_any_link(tmp_path: Path) -> None:
    put(tmp_path / "lib" / "results" / "staging" / "speech.wav")
    put(tmp_path / "lib" / "film.mkv")
    (tmp_path / "link").symlink_to("lib")
    walk = FolderWalk([tmp_path / "lib" / "results", tmp_path / "not made yet"])
    assert media_below(tmp_path / "link", walk) == ["film.mkv"]
    assert walk.passed == {folder_walk.OWN_FOLDER: 1}


def test_a_file_with_an_ambiguous_suffix_is_read(tmp_path: Path) -> None:
    packet = b"\x47\x40\x00\x10\x00" + b"\xff" * 183
    for name, content in (
        ("index.ts", b"export const a = 1;\n"),
        ("module.mts", "// für später\nexport {}\n".encode()),
        ("board.dts", b'/dts-v1/;\n/ { model = "x"; };\n'),
        ("table.dat", b"\x01\x02\x03 anything"),
        ("song.mod", b"SONG NAME\0\0\0" + bytes(500)),
        ("film.ts", packet * 4),
        ("clip.MTS", b"\0\0\0\0" + packet * 4),
        ("sound.dts", b"\x7f\xfe\x80\x01" + bytes(60)),
        ("AVSEQ01.DAT", b"RIFF\0\0\0\0CDXAfmt "),
        ("MOV001.MOD", b"\x00\x00\x01\xba" + bytes(60)),
    ):
        put(tmp_path / name, content)
    assert media_below(tmp_path) == ["AVSEQ01.DAT", "MOV001.MOD", "clip.MTS", "film.ts", "sound.dts"]


def test_an_unreadable_folder_is_counted(tmp_path: Path) -> None:
    put(tmp_path / "film.mkv")
    put(tmp_path / "closed" / "film.mkv")
    (tmp_path / "closed").chmod(0)
    try:
        if os.access(tmp_path / "closed", os.R_OK):
            pytest.skip("this user may read everything")
        walk = FolderWalk()
        assert media_below(tmp_path, walk) == ["film.mkv"]
        assert walk.passed == {folder_walk.UNREADABLE: 1}
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_a_pattern_skips_debris_and_searches_matching_folders(tmp_path: Path) -> None:
    for name in ("s1/a.mkv", "s1/notes.txt", "s2/b.mkv", "s2/@eaDir/b.mkv", "s2/b.mkv.part", "s3.mkv", "x/y.odd"):
        put(tmp_path / name)
    published(tmp_path / "s2" / "out", tmp_path / "s2" / "b.mkv", "b.mkv")

    def matched(pattern: str) -> list[str]:
        return [str(path.relative_to(tmp_path)) for path in find_media([pattern], tmp_path, FolderWalk())]

    assert matched("s*") == ["s1/a.mkv", "s2/b.mkv", "s3.mkv"]
    assert matched("**/*.mkv") == ["s1/a.mkv", "s2/b.mkv", "s3.mkv"]
    assert matched("**") == ["s1/a.mkv", "s2/b.mkv", "s3.mkv"]
    assert matched("s1/*") == ["s1/a.mkv"], "a pattern without a suffix means media"
    assert matched("x/*.odd") == ["x/y.odd"], "one with a suffix means what it says"
    with pytest.raises(UsageError, match="passed over: 1 system folder"):
        find_media(["s2/@eaDi*/*.mkv"], tmp_path, FolderWalk())


def test_a_file_that_is_named_directly_is_always_accepted(tmp_path: Path) -> None:
    published(tmp_path / "out", tmp_path / "film.mkv", "film.mkv")
    names = ["._film.mkv", "film.mkv.part", "@eaDir/film.mkv", "out/film.mkv", "notes.txt", "s.ts"]
    for name in names:
        put(tmp_path / name)
    assert find_media(names, tmp_path, FolderWalk()) == [tmp_path / name for name in names]


def test_a_file_is_taken_once_even_through_several_links(tmp_path: Path) -> None:
    film = put(tmp_path / "lib" / "film.mkv")
    (tmp_path / "link").symlink_to("lib")
    (tmp_path / "lib" / "other name.mkv").hardlink_to(film)
    found = find_media(["lib", "link", "lib/../link/film.mkv"], tmp_path, FolderWalk())
    assert found == [film, tmp_path / "lib" / "other name.mkv"], "two names of one file are two wishes"


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "media.empty-name"), ("  ", "media.empty-name"), ("\t\n", "media.empty-name"),
     ("https://www.youtube.com/watch?v=x", "media.address"), ("ftp://host/film.mkv", "media.address"),
     ("file:///films/a.mkv", "media.address")],
)  # fmt: skip
def test_a_name_that_cannot_be_a_file_is_a_usage_error(tmp_path: Path, name: str, code: str) -> None:
    put(tmp_path / "film.mkv")
    with pytest.raises(UsageError) as caught:
        find_media([name], tmp_path, FolderWalk())
    assert caught.value.code == code
    (tmp_path / "list.csv").write_text(f'media\n"{name}"\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2 of" if name.strip("\t\n") == name else "line"):
        read_list(tmp_path / "list.csv", FolderWalk())


def test_a_folder_in_a_list_passes_its_settings_to_each_file(tmp_path: Path) -> None:
    put(tmp_path / "season" / "a.mkv")
    put(tmp_path / "season" / "._a.mkv")
    (tmp_path / "list.jsonl").write_text(
        '{"media": "season", "language": "hi", "priority": 2}\n{"media": "gone.mkv"}', encoding="utf-8"
    )
    requests = read_list(tmp_path / "list.jsonl", FolderWalk())
    assert [request.media for request in requests] == [tmp_path / "season" / "a.mkv", tmp_path / "gone.mkv"]
    assert requests[0].overrides == {"stages.asr.language": "hi"}
    assert requests[0].priority == 2


def test_later_runs_of_a_folder_find_no_new_files(reel: Reel) -> None:
    library = reel.folder / "lib"
    for name in ("ep1.mkv", "ep2.mp4"):
        put(library / name, name.encode())
    for name in ("._ep1.mkv", ".Trashes/501/ep1.mkv", "@eaDir/ep1.mkv"):
        put(library / name, b"debris")
    out = library / "out"
    for _ in range(3):
        done = reel("run", library, "-o", out, extra=STUB)
        assert "note: passed over: " in done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["ep1", "ep2"], "no debris has a film's name, no copy a copy"
    planned = reel("plan", library, "-o", out, "--json", extra=STUB)
    assert '"passed_over"' in planned.stdout
    assert "passed over: " in reel("plan", library, "-o", out, extra=STUB).stdout


@pytest.mark.parametrize("command", ["run", "plan", "watch"])
def test_every_command_refuses_an_empty_name(reel: Reel, command: str) -> None:
    assert "[media.empty-name]" in reel(command, "", extra=STUB, expect=2).stderr
    address = "ftp://example.org/film.mkv" if command == "run" else "https://example.org/film.mkv"
    assert "[media.address]" in reel(command, address, extra=STUB, expect=2).stderr
