"""The queue outlives its process, keeps its order, and joins what is the same."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import Locked, ReelError
from pipeline.web.job_queue import Job, JobQueue, NewJob, job_data
from pipeline.web.refused import Refused
from pipeline.web.service import Shares


def new(name: str, priority: float = 0.0, same: str | None = None) -> NewJob:
    return NewJob(Path("/films") / name, name, {"recipe": "subtitle"}, "out", "test", same or name, priority)


def test_a_job_is_there_after_the_queue_is_opened_again(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    made = queue.add(new("a.mkv"))
    queue.close()
    queue = JobQueue(tmp_path)
    assert queue.job(made.id) == made
    queue.close()


def test_a_second_server_is_told_that_the_queue_is_taken(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    with pytest.raises(Locked, match="another `reel serve`"):
        JobQueue(tmp_path)
    queue.close()


def test_what_was_at_work_is_queued_again_in_its_old_place_and_its_attempt_is_not_counted(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    first, second = queue.add(new("a.mkv")), queue.add(new("b.mkv"))
    queue.begin(first.id)
    queue.close()  # as a killed server leaves it
    queue = JobQueue(tmp_path)
    assert [job.id for job in queue.recover()] == [first.id]
    assert [(job.id, job.state, job.attempts) for job in queue.jobs()] == [
        (first.id, "queued", 0), (second.id, "queued", 0),
    ]  # fmt: skip
    queue.close()


def test_the_same_job_is_joined_while_it_has_not_ended_and_made_again_afterwards(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    first = queue.add(new("a.mkv", same="x"))
    assert queue.add(new("a.mkv", same="x")).id == first.id
    queue.begin(first.id)
    assert queue.add(new("a.mkv", same="x")).id == first.id
    queue.end(first.id, "done", folder="/out/a", files=["/out/a/a.srt"])
    assert queue.job(first.id).files == ["/out/a/a.srt"]
    assert queue.add(new("a.mkv", same="x")).id != first.id
    queue.close()


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=8))
def test_the_highest_priority_comes_first_and_equals_in_the_order_of_their_arrival(
    tmp_path_factory: pytest.TempPathFactory, priorities: list[int]
) -> None:
    queue = JobQueue(tmp_path_factory.mktemp("queue"))
    for number, priority in enumerate(priorities):
        queue.add(new(str(number), priority))
    taken: list[Job] = []
    while job := queue.next():
        taken.append(queue.begin(job.id))
    expected = sorted(range(len(priorities)), key=lambda number: (-priorities[number], number))
    assert [int(job.label) for job in taken] == expected
    queue.close()


def test_the_list_for_programs_holds_what_the_jobs_hold(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    for number in range(4):
        media, label = Path(f"/films/{number} ü.mkv"), f"{number} Ü.mkv"
        queue.add(NewJob(media, label, {"recipe": "subtitle", "film": False}, "out", "t", str(number)))
    first, second, third, _ = queue.jobs()
    queue.end(queue.begin(first.id).id, "done", files=["/out/a"], folder="/out", reason="")
    queue.end(second.id, "failed", error={"code": "x", "message": '"', "hint": None})
    queue.begin(third.id)
    for states, limit in (((), -1), (("queued", "failed"), -1), ((), 2)):
        expected = [job_data(job) for job in queue.jobs(states, limit)]  # type: ignore[arg-type]
        assert json.loads(queue.listed(states, limit)) == expected  # type: ignore[arg-type]
    for name, labels in (("2 u\u0308.M", ["2 Ü.mkv"]), ("%", []), ("", None)):
        found = [job["label"] for job in json.loads(queue.listed(name=name))]
        assert found == (labels if labels is not None else [job.label for job in queue.jobs()])
    queue.close()


def test_the_newest_ended_jobs_are_remembered_and_all_that_have_not_ended(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    names = [queue.add(new(str(number))).id for number in range(5)]
    for name in names[:4]:
        queue.end(name, "done")
    queue.forget(2)
    assert {job.id for job in queue.jobs()} == set(names[2:])
    queue.close()


def test_a_damaged_file_is_moved_away_and_one_of_a_later_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "queue.sqlite").write_bytes(b"this is not a database, and long enough to be read as one" * 99)
    queue = JobQueue(tmp_path)
    assert queue.jobs() == []
    assert list(tmp_path.glob("queue.damaged-*.sqlite"))
    queue.close()
    database = sqlite3.connect(tmp_path / "queue.sqlite")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(ReelError, match="version 99"):
        JobQueue(tmp_path)


def test_a_queue_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    made = queue.add(new("a.mkv"))
    queue.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "queue.sqlite")) as database:
        database.executescript(
            "DROP TRIGGER job_added; DROP TRIGGER job_changed; DROP TRIGGER job_forgotten; DROP TABLE listed;"
            " ALTER TABLE jobs DROP COLUMN work; ALTER TABLE jobs DROP COLUMN corrections; DROP INDEX jobs_ended;"
            " PRAGMA user_version=1;"
        )
    queue = JobQueue(tmp_path)
    assert queue.job(made.id) == made
    assert queue.work(made.id) is None
    queue.end(made.id, "done", work={"run": "r"})
    assert queue.work(made.id) == {"run": "r"}
    assert json.loads(queue.listed()) == [job_data(queue.job(made.id))]
    queue.close()


def test_one_address_fills_only_its_share_of_the_queue_and_this_machine_all_of_it(tmp_path: Path) -> None:
    queue, shares = JobQueue(tmp_path), Shares(at_most=2)
    made = [queue.add(new(f"{number}.mkv")) for number in range(3)]
    for client in ("192.0.2.7", "127.0.0.1"):
        for job in made[:2]:
            shares.check(client, queue)
            shares.note(client, job)
    with pytest.raises(Refused, match=r"192\.0\.2\.7"):
        shares.check("192.0.2.7", queue)
    for other in ("127.0.0.1", "::1", "192.0.2.8"):
        shares.check(other, queue)
    queue.begin(made[0].id)  # it waits no longer
    shares.check("192.0.2.7", queue)
    queue.close()
