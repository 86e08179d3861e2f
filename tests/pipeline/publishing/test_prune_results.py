"""Prune deletes unused results and keeps those of published jobs; damage is found at every byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.cli.commands.runs_upkeep import parse_age, parse_size
from pipeline.store.results import ResultStore
from tests.conftest import ROOT, Reel

STUB = {"REEL_STUB": "true"}
DAY_S = 24 * 3600


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(ROOT / "samples" / "demo.mp4", tmp_path / "film.mp4"))


def age(reel: Reel, days: int) -> None:
    """Let everything that was done so far have been done as many days ago."""
    store, by_ms = ResultStore(reel.results), days * DAY_S * 1000
    with store.open_for_writing("test"):
        store.index.execute("UPDATE run_steps SET started_ms = started_ms - ?, ended_ms = ended_ms - ?", (by_ms, by_ms))
    for path in reel.results.rglob("*"):
        os.utime(path, (time.time() - days * DAY_S,) * 2)


def prune(reel: Reel, *flags: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(reel("runs", "prune", *flags, "--json").stdout)["data"]
    return found


def steps_run(reel: Reel, media: Path, *flags: str) -> int:
    items = json.loads(reel("run", media, *flags, "--json", extra=STUB).stdout)["data"]["items"]
    return int(items[0]["steps_run"])


def test_what_a_published_job_uses_stays_however_old_it_is(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    age(reel, 100)
    assert prune(reel, "--yes", "--keep", "0MB")["surplus"] == []
    assert steps_run(reel, media) == 0


def test_what_no_job_uses_any_more_goes_when_it_is_old_and_is_shown_before(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    steps_run(reel, media, "--set", "diarize.num_speakers=3")  # the job now uses another result of diarize
    assert prune(reel)["surplus"] == []
    age(reel, 40)
    found = prune(reel)
    assert [(one["what"], one["reason"]) for one in found["surplus"]] == [("diarize (stub)", "not used for 40 days")]
    assert not found["deleted"]
    assert "nothing was deleted" in reel("runs", "prune").stdout
    assert prune(reel, "--yes")["deleted"]
    assert prune(reel)["surplus"] == []
    assert steps_run(reel, media, "--set", "diarize.num_speakers=3") == 0
    assert steps_run(reel, media) == 1


def test_a_job_whose_folder_is_gone_uses_nothing(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    shutil.rmtree(reel.out)
    assert prune(reel, "--keep", "0MB", "--yes")["deleted"]
    assert not [path for path in (reel.results / "objects").rglob("*") if path.is_file()]
    assert steps_run(reel, media) > 0


def test_intermediates_may_go_and_the_published_results_stay(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    published = {path.name: path.read_bytes() for path in (reel.out / "film").iterdir()}
    gone = {str(one["what"]).split()[0] for one in prune(reel, "--intermediates", "--keep", "0MB", "--yes")["surplus"]}
    assert {"demux", "separate"} <= gone
    assert not gone & {"mux", "subtitle"}
    assert {path.name: path.read_bytes() for path in (reel.out / "film").iterdir()} == published


def test_a_run_after_a_prune_and_the_plan_for_it_agree(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    assert prune(reel, "--intermediates", "--keep", "0MB", "--yes")["deleted"]
    assert planned(reel, media) == {"reused"}, "everything is published, and nobody asks what it was made from"
    assert steps_run(reel, media) == 0
    (reel.out / "film" / "film.en.srt").unlink()
    assert "redone" in planned(reel, media)
    assert steps_run(reel, media) > 0
    assert (reel.out / "film" / "film.en.srt").exists()


def planned(reel: Reel, media: Path) -> set[str]:
    items = json.loads(reel("plan", media, "--json", extra=STUB).stdout)["data"]["items"]
    assert all(step["key"] for step in items[0]["steps"] if step["verdict"] == "reused")
    return {str(step["verdict"]) for step in items[0]["steps"]}


def test_a_job_that_was_moved_keeps_its_results_where_it_is_found(reel: Reel, media: Path, tmp_path: Path) -> None:
    steps_run(reel, media)
    (reel.out / "film").rename(reel.out / "renamed")
    assert prune(reel, "--keep", "0MB")["surplus"] == []
    (tmp_path / "shelf" / "2026").mkdir(parents=True)
    (reel.out / "renamed").rename(tmp_path / "shelf" / "2026" / "film")
    assert "`--jobs DIR`" in reel("runs", "prune", "--keep", "0MB").stdout
    found = prune(reel, "--keep", "0MB")
    assert found["surplus"]
    assert [str(folder) for folder in found["lost"]] == [str(reel.out / "film")]
    assert prune(reel, "--keep", "0MB", "--jobs", str(tmp_path / "shelf"))["surplus"] == []


def test_contents_that_no_result_has_go(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    stray = reel.results / "objects" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("stray", encoding="utf-8")
    assert [one["reason"] for one in prune(reel, "--yes")["surplus"]] == ["no result uses it"]
    assert not stray.exists()


def test_a_run_in_progress_is_not_touched(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    shutil.rmtree(reel.out)
    with ResultStore(reel.results).open_for_writing("reel run"):
        assert "`reel run`" in reel("runs", "prune", "--keep", "0MB", "--yes", expect=6).stderr


def test_a_repair_finds_a_single_changed_byte_and_the_next_run_makes_it_anew(reel: Reel, media: Path) -> None:
    steps_run(reel, media)
    published = {path.name: path.read_bytes() for path in (reel.out / "film").iterdir()}
    contents = sorted(path for path in (reel.results / "objects").rglob("*") if path.is_file() and path.stat().st_size)
    broken = bytearray(contents[0].read_bytes())
    broken[len(broken) // 2] ^= 1
    contents[0].chmod(0o644)
    contents[0].write_bytes(broken)
    manifests = (reel.results / "manifests").rglob("*.json")
    manifest = next(path for path in manifests if contents[0].name not in path.read_text(encoding="utf-8"))
    manifest.write_text("{", encoding="utf-8")
    (reel.results / "index.sqlite").write_bytes(b"rubbish" * 1000)
    assert "reel runs repair" in reel("runs", "list", expect=1).stderr
    found = json.loads(reel("runs", "repair", "--json").stdout)["data"]
    assert found["damaged"] == [str(contents[0])]
    assert found["unreadable"] == [str(manifest)]
    assert len(found["incomplete"]) >= 1
    assert len(json.loads(reel("runs", "list", "--json").stdout)["data"]["runs"]) == 1
    assert steps_run(reel, media) >= 1
    assert {path.name: path.read_bytes() for path in (reel.out / "film").iterdir()} == published


@pytest.mark.parametrize("text", ["", "30", "d", "1y", "-1d"])
def test_an_age_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_age(text)
    with pytest.raises(UsageError):
        parse_size(text)


def test_ages_and_sizes_are_read_as_people_write_them() -> None:
    assert [parse_age(text) for text in ("12h", "30d", "2w")] == [43_200, 2_592_000, 1_209_600]
    assert [parse_size(text) for text in ("500MB", "1.5 gb")] == [500_000_000, 1_500_000_000]


def on_a_disk_of_its_own(reel: Reel, script: str, media: Path) -> str:
    """Return what a shell prints, where `$store` is the result store, on mounts that no other process sees."""
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    reel_command = f"{shutil.which('python3', path=str(ROOT / '.venvs/test/bin'))} -P -m pipeline"
    head = f"store={reel.results}; mkdir -p $store; reel() {{ {reel_command} \"$@\"; }}; media='{media}'\n"
    done = subprocess.run(
        [*own, "sh", "-ec", head + script], env={**reel.environment(STUB), "REEL_PROGRESS": "none"}, cwd=reel.folder,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def test_a_full_disk_is_one_clear_error_and_with_more_room_the_run_goes_on(reel: Reel, media: Path) -> None:
    text = on_a_disk_of_its_own(
        reel,
        """
        mount -t tmpfs -o size=300k tmpfs $store
        reel run $media && exit 9
        mount -o remount,size=50m $store
        reel run $media
        reel runs list
        """,
        media,
    )
    assert "cannot be written: No space left" in text or "database or disk is full" in text
    assert "[results.unwritable]" in text
    assert "film.mkv" in text
    assert "done " in text


def test_a_disk_that_can_only_be_read_is_read_and_says_so_when_it_is_to_be_written(reel: Reel, media: Path) -> None:
    reel("run", media, extra=STUB)
    text = on_a_disk_of_its_own(
        reel,
        """
        mount --bind $store $store && mount -o remount,bind,ro $store
        reel runs list
        reel runs show >/dev/null
        reel plan $media
        reel run $media && exit 9 || true
        """,
        media,
    )
    assert "done " in text
    steps = json.loads((reel.out / "film" / "job.json").read_text(encoding="utf-8"))["steps"]
    assert text.count(" reused ") == len(steps)
    assert "[results.unwritable]" in text
