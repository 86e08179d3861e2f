"""A library with the layout of Plex, as the how-to *A media library* goes through it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel
from tests.pipeline.engine.library.conftest import AUDIO, FORCED, PICTURES, TEXT, FakeFFmpeg, Film

CALL = ("run", "Library", "--beside", "--skip-existing", "--json")
EN = AUDIO.format("eng")
DEBRIS = (
    "._{}.mkv", ".DS_Store", "Thumbs.db", "@eaDir/{}.mkv", ".Trashes/{}.mkv", "next.mkv.part", "{}.nfo", "poster.jpg",
)  # fmt: skip


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file below a folder with its content and its time of modification."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def states(text: str) -> dict[str, str]:
    return {Path(item["media"]).stem: item["state"] for item in json.loads(text)["data"]["items"]}


def made_library(film: Film) -> dict[str, str]:
    """Make 200 films and episodes of a few contents each; return what is to become of each."""
    expected = {}
    for number in range(120):
        name = f"Film {number} ({1900 + number})"
        tracks, beside, state = [EN], [], "done"
        if number % 7 == 0:
            beside, state = [f"{name}.en.srt"], "skipped"
        elif number % 11 == 0:
            tracks, state = [EN, TEXT.format("eng")], "skipped"
        elif number % 13 == 0:
            tracks, beside = [EN, PICTURES.format("eng"), FORCED.format("eng")], [f"{name}.en.forced.srt"]
        elif number % 17 == 0:
            beside, state = ["Subs/2_English.srt"], "skipped"
        elif number % 19 == 0:
            beside = [f"{name}.de.srt"]
        beside += [one.format(name) for one in DEBRIS] if number % 10 == 0 else []
        film(f"Library/Movies/{name}/{name}.mkv", *tracks, beside=tuple(beside), content=f"kind {number % 3}")
        expected[name] = state
    for number in range(80):
        season, episode = divmod(number, 20)
        name = f"Show (2019) - s{season + 1:02}e{episode + 1:02}"
        theirs = {3: [f"{name}.eng.srt"], 4: [f"Subs/{name}/3_English.srt"]}.get(episode, [])
        place = f"Library/Shows/Show (2019)/Season {season + 1:02}/{name}.mp4"
        film(place, EN, beside=tuple(theirs), content=f"episode {number % 3}")
        expected[name] = "skipped" if theirs else "done"
    return expected


def test_the_how_to_works_on_a_library_of_200_films(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    page = (ROOT / "docs" / "how-to" / "media-library.md").read_text(encoding="utf-8")
    assert "./reel run Movies --beside --skip-existing" in page
    expected = made_library(film)
    library = reel.folder / "Library"
    reel("run", "Library/Movies/Film 1 (1901)", "-o", "Library/made", extra=fake_ffmpeg.variables)  # an earlier job
    before = tree(library)
    assert "made/Film 1 (1901)/Film 1 (1901).mkv" in before

    plan = json.loads(reel("plan", *CALL[1:], extra=fake_ffmpeg.variables).stdout)["data"]
    assert {Path(one["media"]).stem for one in plan["items"] if "skipped" in one} == {
        name for name, state in expected.items() if state == "skipped"
    }
    assert tree(library) == before

    done = reel(*CALL, extra=fake_ffmpeg.variables)
    # The same content is worked on once.
    assert {name: state.replace("reused", "done") for name, state in states(done.stdout).items()} == expected
    after = tree(library)
    assert {name: after[name] for name in before} == before
    new = [name for name in after.keys() - before.keys() if ".reel/" not in name]
    subtitled = [name for name, state in expected.items() if state == "done"]
    assert Counter(Path(name).name for name in new) == Counter(f"{name}.en.srt" for name in subtitled)
    assert all((library / name).with_name(Path(name).name.removesuffix(".en.srt") + suffix).exists()
               for name in new for suffix in [".mkv" if "Movies/" in name else ".mp4"])  # fmt: skip
    hidden = {name for name in after.keys() - before.keys() if ".reel/" in name}
    assert {Path(name).name for name in hidden} >= {"job.json", "transcript.json"}
    assert not [name for name in hidden if Path(name).suffix in {".mkv", ".mp4", ".srt"}]
    asked = fake_ffmpeg.asked

    again = reel(*CALL, extra=fake_ffmpeg.variables)
    assert states(again.stdout) == {name: state.replace("done", "reused") for name, state in expected.items()}
    assert tree(library) == after
    assert fake_ffmpeg.asked == asked

    moved = reel.folder / "Moved"
    library.rename(moved)  # the records went along
    again = reel("run", "Moved", *CALL[2:], extra=fake_ffmpeg.variables)
    assert Counter(states(again.stdout).values()) == {"reused": len(subtitled), "skipped": 200 - len(subtitled)}
    kept = {name for name in tree(moved) if not name.endswith("job.json")}
    assert kept == {name for name in after if not name.endswith("job.json")}


def test_only_files_that_reel_wrote_beside_a_film_are_removed(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("Library/a/a.mkv", beside=("a.de.srt", "a.pt.srt"))
    film("Library/b/b.mkv")
    reel("run", "Library", "--beside", "--to", "pt,en", extra=fake_ffmpeg.variables)

    def names() -> set[str]:
        return {path.name for path in (reel.folder / "Library").glob("*/*.srt")}

    assert names() == {"a.en.srt", "a.de.srt", "a.pt.srt", "a.reel.pt.srt", "b.en.srt", "b.pt.srt"}
    assert (reel.folder / "Library" / "a" / "a.pt.srt").read_text(encoding="utf-8") == "made by hand: a.pt.srt\n"
    (reel.folder / "Library" / "b" / "b.pt.srt").write_text("mine now", encoding="utf-8")
    reel("run", "Library", "--beside", extra=fake_ffmpeg.variables)
    assert names() == {"a.en.srt", "a.de.srt", "a.pt.srt", "b.en.srt", "b.pt.srt"}
    reel("run", "Library", "--beside", "--recipe", "transcribe", extra=fake_ffmpeg.variables)
    assert names() == {"a.de.srt", "a.pt.srt", "b.pt.srt"}
    assert (reel.folder / "Library" / "a" / ".reel" / "a.mkv" / "a.en.txt").exists()


def test_films_with_one_name_keep_separate_subtitles(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("Library/film.mkv", content="one")
    film("Library/film.mp4", content="two")
    formats = "srt,vtt,json,whisper,txt"
    for _ in range(2):
        reel("run", "Library", "--beside", "--formats", formats, extra=fake_ffmpeg.variables)
        shown = {path.name for path in (reel.folder / "Library").glob("*")}
        assert shown >= {"film.mkv", "film.mp4", ".reel", "film.en.srt", "film.en.vtt"}
        # Stub stages make the same of each content, so the second finds its subtitles there already.
        assert len([name for name in shown if name.endswith((".srt", ".vtt"))]) in {2, 4}
    for name in ("film.mkv", "film.mp4"):
        kept = {path.name for path in (reel.folder / "Library" / ".reel" / name).iterdir()}
        assert {"job.json", "film.en.txt", "film.en.json", "film.en.whisper.json"} <= kept


def test_a_correction_beside_a_film_is_taken_in_and_dropped(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("Library/film.mkv")
    call = ("run", "Library", "--beside")
    reel(*call, extra=fake_ffmpeg.variables)
    subtitle = reel.folder / "Library" / "film.en.srt"
    made = subtitle.read_text(encoding="utf-8")
    subtitle.write_text(
        made.replace("00:00:00,", "00:00:00,", 1) + "\n2\n00:00:03,000 --> 00:00:04,000\nMore\n", encoding="utf-8"
    )
    edited = subtitle.read_text(encoding="utf-8")
    kept = reel(*call, extra=fake_ffmpeg.variables)
    assert "film.en.srt was edited since it was published, so it is kept" in kept.stderr
    taken = reel(*call, "--continue", extra=fake_ffmpeg.variables)
    assert "taken in as corrections: film.en.srt" in taken.stderr
    listed = json.loads(reel("edits", "list", "Library/film.mkv", "--json", extra=fake_ffmpeg.variables).stdout)
    assert [edit["file"] for edit in listed["data"]["edits"]] == ["film.en.srt"]
    assert subtitle.read_text(encoding="utf-8") == edited
    reel("edits", "drop", "Library/film.mkv", extra=fake_ffmpeg.variables)
    reel(*call, extra=fake_ffmpeg.variables)
    assert subtitle.read_text(encoding="utf-8") == made


@pytest.mark.parametrize("along", [False, True])
def test_a_renamed_film_keeps_its_record(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg, along: bool) -> None:
    old = film("Library/old.mkv", content="the same")
    film("Library/copy.mkv", content="the same")  # as many films of one content as there are names
    reel("run", "Library", "--beside", "--to", "pt", extra=fake_ffmpeg.variables)
    corrected = old.with_name("old.pt.srt")
    corrected.write_text("by hand", encoding="utf-8")
    old.rename(old.with_name("new.mkv"))
    if along:
        for language in ("en", "pt"):
            old.with_name(f"old.{language}.srt").rename(old.with_name(f"new.{language}.srt"))
    reel("run", "Library", "--beside", "--to", "pt", extra=fake_ffmpeg.variables)
    names = {path.name for path in old.parent.glob("*.srt")} - {"copy.en.srt", "copy.pt.srt"}
    assert names == {"new.en.srt", "new.pt.srt", *([] if along else ["old.pt.srt"])}
    assert old.with_name("new.pt.srt" if along else "old.pt.srt").read_text(encoding="utf-8") == "by hand"
    assert {path.name for path in (old.parent / ".reel").iterdir()} == {"copy.mkv", "new.mkv"}
    record = json.loads((old.parent / ".reel" / "new.mkv" / "job.json").read_text(encoding="utf-8"))
    assert {"../../new.en.srt", "../../new.pt.srt"} <= record["files"].keys()


def test_a_film_that_replaces_another_gets_subtitles_under_that_name(
    reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg
) -> None:
    old = film("Library/film.avi", content="one")
    reel("run", "Library", "--beside", extra=fake_ffmpeg.variables)
    old.unlink()
    new = film("Library/film.mkv", AUDIO.format("eng"), content="two")
    done = reel(*CALL, extra=fake_ffmpeg.variables)
    assert states(done.stdout) == {"film": "done"}
    assert {path.name for path in new.parent.glob("*.srt")} == {"film.en.srt"}
    assert {path.name for path in (new.parent / ".reel").iterdir()} == {"film.mkv"}


def test_a_record_cannot_reach_files_in_other_folders(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    place = film("Library/films/film.mkv")
    reel("run", "Library", "--beside", extra=fake_ffmpeg.variables)
    other = film("Library/other.txt", content="other")
    record = place.parent / ".reel" / "film.mkv" / "job.json"
    job = json.loads(record.read_text(encoding="utf-8"))
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    job["files"] |= dict.fromkeys(("../../../other.txt", str(other), "../../x/../../other.txt"), digest)
    record.write_text(json.dumps(job), encoding="utf-8")
    reel("run", "Library", "--beside", "--to", "pt", extra=fake_ffmpeg.variables)
    assert other.read_text(encoding="utf-8").startswith("other")
    assert set(json.loads(record.read_text(encoding="utf-8"))["files"]) >= {"../../film.en.srt", "../../film.pt.srt"}
    assert not [name for name in json.loads(record.read_text(encoding="utf-8"))["files"] if "other" in name]


def test_results_published_beside_films_count_as_used(reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg) -> None:
    film("Library/film.mkv")
    reel("run", "Library", "--beside", extra=fake_ffmpeg.variables)
    assert json.loads(reel("runs", "prune", "--older-than", "0h", "--json").stdout)["data"]["surplus"] == []
    shutil.rmtree(reel.folder / "Library" / ".reel")
    assert json.loads(reel("runs", "prune", "--older-than", "0h", "--json").stdout)["data"]["surplus"]


def test_a_film_in_a_folder_that_cannot_be_written_fails_before_its_first_step(
    reel: Reel, film: Film, fake_ffmpeg: FakeFFmpeg
) -> None:
    film("Library/bad/bad.mkv", content="bad")
    film("Library/good/good.mkv", content="good")
    (reel.folder / "Library" / "bad" / ".reel").write_text("a file in the way", encoding="utf-8")
    plan = json.loads(reel("plan", "Library", "--beside", "--json", extra=fake_ffmpeg.variables, expect=3).stdout)
    bad, good = plan["data"]["items"]
    assert (bad["error"], bool(good["steps"])) == ("publish.unwritable", True)
    done = reel("run", "Library", "--beside", "--json", "--progress", "json", extra=fake_ffmpeg.variables, expect=3)
    assert states(done.stdout) == {"bad": "failed", "good": "done"}
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert not [one for one in events if one["event"] == "StepStarted" and one["item"] == "bad.mkv"]
    errors = json.loads(done.stdout)["errors"]
    assert [error["code"] for error in errors] == ["publish.unwritable"]
