"""Whatever lies in a folder, however files are called and whatever was published before: publishing changes and deletes
nothing that its own record does not hold, and a media file never."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.publishing.record import JOB, read_job
from tests.fakes.publisher import Publisher

FILM = b"the user's own film"
NAMES = (
    "Film (2020).mkv", "film.mkv", "FILM.mp4", "film", "..mp4", "...mp4", ".mp4", ".hidden.mkv", "-i.mp4", "a:b.mp4",
    "transcript.mp4", "job.json", "job.mkv", "con.mp4", " .mp4", "caf\u00e9.mkv", "cafe\u0301.mkv", "\n.mkv", "a'b.mkv",
    f"{'x' * 251}.mkv", f"{chr(0x915) * 80}.mkv", "%s.mkv", "{name}.mkv", "film.en.srt.mkv", ".reel.mkv",
)  # fmt: skip
TEMPLATES = (
    "{name}.{language}{kind}{suffix}", "{name}{suffix}", "transcript.json", "{name}.{language}.txt",
    "translation.{language}.json", "speakers.rttm",
)  # fmt: skip
KINDS = ("file", "same", "folder", "fifo", "dangling", "link to the film", "hard link to the film", "link to a file")


def snapshot(world: Path) -> dict[str, tuple[int, bytes | str]]:
    """Return everything below a folder: its kind, with the content of files and where links lead."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for folder, names, files in os.walk(world):
        for name in (*names, *files):
            path = Path(folder, name)
            mode = stat.S_IFMT(path.lstat().st_mode)
            content: bytes | str = b""
            if stat.S_ISREG(mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(mode):
                content = str(path.readlink())
            found[str(path.relative_to(world))] = (mode, content)
    return found


def put(path: Path, kind: str, film: Path, content: bytes) -> None:
    """Put a thing of other people under a name, as far as the name is free."""
    if os.path.lexists(path) or any(parent.is_file() for parent in path.parents):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "dangling":
            path.symlink_to("nowhere")
        case "link to the film":
            path.symlink_to(film)
        case "hard link to the film":
            path.hardlink_to(film)
        case "link to a file":
            other = path.parent.parent / "elsewhere.txt"
            other.write_bytes(b"elsewhere")
            path.symlink_to(other)
        case _:
            path.write_bytes(content)


def recorded(world: Path) -> dict[str, set[str]]:
    """Return every path of which some record of reel's says that it is reel's, with the digests that it may have."""
    found: dict[str, set[str]] = {}
    for place in world.rglob(JOB):
        if job := read_job(place.parent):
            for name, digest in (*job.files.items(), *job.edits.items()):
                found.setdefault(str((place.parent / name).relative_to(world)), set()).add(digest)
    return found


ACTIONS = st.sampled_from(["run", "run", "run", "put", "edit", "delete", "delete job", "own job"])


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_publishing_touches_nothing_that_is_not_reels_own(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as root:
        world = Path(root, "world")
        name = data.draw(st.sampled_from(NAMES), "the film's name")
        stem = Path(name).stem
        place = data.draw(st.sampled_from(["Movies", f"Movies/{stem[:200].strip('./') or 'x'}", "inbox"]), "its folder")
        film = world / place / name
        film.parent.mkdir(parents=True)
        film.write_bytes(FILM)
        output = world / data.draw(st.sampled_from(["Movies", "out", "inbox", "Movies/deep/out"]), "the output")
        publisher = Publisher(Path(root), film, output)
        ours: list[Path] = []
        for step in range(data.draw(st.integers(2, 7), "steps")):
            action = data.draw(ACTIONS) if step else "put"
            if action == "run":
                before, known = snapshot(world), recorded(world)
                replace = data.draw(st.booleans(), "--replace") if data.draw(st.booleans()) else False
                templates = data.draw(st.lists(st.sampled_from(TEMPLATES), min_size=1, unique=True), "published")
                published = publisher.run(templates, data.draw(st.sampled_from([b"1", b"22"])), replace=replace)
                ours += published.files
                after = snapshot(world)
                for path, thing in before.items():
                    if after.get(path) == thing or _allowed(path, thing, known, replace):
                        continue
                    raise AssertionError(f"{path} was {thing}, and is {after.get(path)}")
                assert film.read_bytes() == FILM
                assert not [path for path in after if path.endswith(".part")]
                assert all(path.is_file() for path in published.files)
                new = {path for path in after if path not in before}
                assert all((world / path).is_relative_to(output) or output.is_relative_to(world / path) for path in new)
                continue
            folder = output / data.draw(st.sampled_from([stem, "film", "Film (2020)"])) if step < 2 else output
            names = [f"{stem}{tail}" for tail in (".en.srt", ".mkv", ".reel.mkv")] + ["transcript.json", JOB]
            target = folder / data.draw(st.sampled_from(names)) if not ours else data.draw(st.sampled_from(ours))
            _by_a_person(action, target, film, data)


def _by_a_person(action: str, target: Path, film: Path, data: st.DataObject) -> None:
    if len(os.fsencode(target.name)) > 255 or target == film or not set(target.name) - {"."}:
        return
    regular = target.is_file() and not target.is_symlink() and not target.samefile(film)
    match action:
        case "put":
            put(target, data.draw(st.sampled_from(KINDS), "what is there"), film, b"somebody's work")
        case "edit" if regular:
            target.write_bytes(b"edited")
        case "delete" if regular:
            target.unlink()
        case "delete job":
            job = target.parent / JOB
            if job.is_file() and not job.is_symlink() and job != film:
                job.unlink()
        case "own job" if target.parent.is_dir():
            job = target.parent / JOB
            if not os.path.lexists(job):
                job.write_bytes(data.draw(st.sampled_from([b"\xff\xfe", b"{}", json.dumps({"media": "x"}).encode()])))
        case _:
            pass


def _allowed(path: str, thing: tuple[int, bytes | str], known: dict[str, set[str]], replace: bool) -> bool:
    """Tell whether a thing may have been changed: reel's own by its record, or, with `--replace`, a file; never the
    film."""
    mode, content = thing
    if not stat.S_ISREG(mode) or not isinstance(content, bytes) or content == FILM:
        return False
    if Path(path).name == JOB and b'"media_sha256"' in content:
        return True
    return replace or hashlib.sha256(content).hexdigest() in known.get(path, set())
