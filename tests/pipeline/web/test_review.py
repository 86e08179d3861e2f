"""The interface of the review page on a real server process with stub stages: drafts, kills, two pages, refusals."""

from __future__ import annotations

import http.client
import json
import shlex
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.documents.transcript import Transcript
from tests.conftest import Reel
from tests.fakes.review_page import Page, change, events_of, new_batch
from tests.fakes.web_client import Server, end_server, start_server

Serve = Callable[..., Server]


@pytest.fixture
def published(reel: Reel, films: Path) -> Path:
    """Return a folder that the command line has published into."""
    reel("run", "--stub", films / "demo.mp4", "--to", "pt")
    return reel.out / "demo"


def test_what_the_command_line_or_a_job_has_published_is_reviewed(serve: Serve, published: Path, films: Path) -> None:
    server = serve()
    (films / "other.mp4").write_bytes((films / "demo.mp4").read_bytes() + b"\0")
    job = server.ask("POST", "/api/1/jobs", {"path": str(films / "other.mp4")}).data["id"]
    folder = server.wait_for(job, "done", "failed")["folder"]
    listed = server.ask("GET", "/api/1/media").data["media"]
    assert [(one["name"], one["folder"], one["open"]) for one in listed] == [
        ("other.mp4", folder, 0), ("demo.mp4", str(published), 0),
    ]  # fmt: skip
    assert listed[1]["languages"] == ["en", "pt"]
    document = Page.of(server, published).read()
    assert [(one["id"], one["spoken"], one["files"]) for one in document["tracks"]] == [
        ("en", True, ["demo.en.srt", "demo.en.vtt"]), ("pt", False, ["demo.pt.srt", "demo.pt.vtt"]),
    ]  # fmt: skip
    first = document["cues"][0]
    assert (first["id"], first["cue"]["lines"], first["words"], first["segments"]) == ("en/0", ["Hello."], [0, 1], [0])
    assert document["words"][0] == ["Hello.", 500, 1000, 0.9, False, None]
    assert document["tracks"][0]["limits"]["line_length"] == 42
    for name in ("0" * 16, "..", "%2e%2e", "x"):
        assert server.ask("GET", f"/api/1/media/{name}").status == 404


def test_an_operation_is_saved_once_and_for_the_draft_that_it_was_made_for(serve: Serve, published: Path) -> None:
    server = serve()
    page, other = Page.of(server, published), Page.of(server, published)
    cue = page.cue("en/0")
    assert cue
    assert page.send(change(cue, "en/0", "A."), etag="").status == 428
    batch = new_batch()
    first = page.send(change(cue, "en/0", "A."), batch=batch)
    assert (first.status, first.data["rev"], first.data["undo"]) == (200, 1, 1)
    again = other.send(change(cue, "en/0", "A."), batch=batch)  # the reply was lost
    assert (again.status, again.data["rev"], again.data["batch_rev"]) == (200, 1, 1)
    other.etag = other.etag.replace(".1", ".0")
    late = other.send(change(cue, "en/0", "B."))
    assert (late.status, late.data["code"], late.data["rev"]) == (412, "review.stale", 1)
    [missed] = late.data["missed"]
    assert (missed["number"], missed["batch"], missed["operations"][0]["after"]["lines"]) == (1, batch, ["A."])
    wrong = page.send(change(cue, "en/0", "C."))
    assert (wrong.status, wrong.data["code"], wrong.data["now"]["lines"]) == (422, "review.conflict", ["A."])
    for mistake in (
        {"id": "en/0", "before": cue, "after": {**cue, "end_ms": 0}},
        {"id": "fr/0", "before": None, "after": cue},
        {"id": "en/../x", "before": None, "after": cue},
        {"id": "speaker/SPEAKER_00", "before": None, "after": cue},
        {"id": "en/0", "before": {"name": "x"}, "after": None},
        {"id": "en/0", "before": cue, "after": {**cue, "lines": []}},
        {"id": "en/0", "surprise": 1},
    ):
        assert page.send(mistake).data["code"] == "review.operation", mistake
    assert page.send(etag='"000000000000.1"').status == 422  # no operation
    assert page.send(change(cue, "en/0", "D."), etag='"000000000000.1"').data["missed"] is None
    assert page.read()["rev"] == 1


def test_undo_and_redo_go_on_after_a_restart(reel: Reel, films: Path, published: Path) -> None:
    server = start_server(reel, "--stub", "--media", films)
    page = Page.of(server, published)
    cue = page.cue("en/0")
    assert cue
    assert page.send(change(cue, "en/0", "A.")).status == 200
    half = {**cue, "end_ms": 700, "lines": ["Hel"]}
    rest = {**cue, "start_ms": 700, "lines": ["lo."]}
    split = page.send(
        {"id": "en/0", "before": {**cue, "lines": ["A."]}, "after": half}, {"id": "en/x", "before": None, "after": rest}
    )
    assert split.status == 200
    assert [one["id"] for one in page.read()["cues"] if one["track"] == "en"] == ["en/0", "en/x", "en/1"]
    end_server(server)
    server = start_server(reel, "--stub", "--media", films)
    page = Page.of(server, published)
    assert page.read()["cues"][1]["was"] is False
    undone = page.step("undo")
    assert (undone.status, sorted(undone.data["items"])) == (200, ["en/0", "en/x"])
    assert page.step("undo").data["undo"] is None
    assert page.step("undo").data["code"] == "review.nothing"
    document = page.read()
    assert (document["cues"][0]["cue"], document["cues"][0]["was"], document["open"]) == (cue, None, 4)
    assert page.step("redo").status == 200
    assert page.cue("en/0") == {**cue, "lines": ["A."]}
    assert server.ask("DELETE", f"{page.path}/draft").status == 204
    assert page.read()["rev"] == 0
    assert page.cue("en/0") == cue
    end_server(server)


def test_every_acknowledged_operation_is_there_after_many_kills(reel: Reel, films: Path, published: Path) -> None:
    """A page saves as fast as it can, and the server is killed while it does; the page sends again what was not
    acknowledged."""
    acknowledged = 0
    for number in range(5):
        server = start_server(reel, "--stub", "--media", films)
        page = Page.of(server, published)
        assert page.read()["rev"] >= acknowledged
        cue = page.cue("en/0")
        assert cue
        killer = threading.Timer(0.05 + 0.03 * number, server.process.kill)
        killer.start()
        try:
            while True:
                lines = [f"saved {acknowledged + 1}"]
                reply = page.send(change(cue, "en/0", *lines))
                assert reply.status == 200, reply.body
                acknowledged, cue = reply.data["rev"], {**cue, "lines": lines}
        except (OSError, http.client.HTTPException):
            pass  # it was killed
        server.process.communicate()
        killer.join()
    server = start_server(reel, "--stub", "--media", films)
    document = Page.of(server, published).read()
    assert document["rev"] >= acknowledged > 0
    revisions = server.ask("GET", f"/api/1/media/{document['id']}/ops?since=0").data["revisions"]
    assert [one["number"] for one in revisions] == list(range(1, document["rev"] + 1))
    end_server(server)


def test_two_pages_that_save_at_once_lose_nothing(serve: Serve, published: Path) -> None:
    """Each page applies what it missed and sends again, as the page does where the changes do not touch each other."""
    server = serve()
    saved: dict[str, int] = {"en/0": 0, "en/1": 0}

    def save(name: str) -> None:
        page = Page.of(server, published)
        cue = page.cue(name)
        assert cue
        for number in range(1, 11):
            while True:
                reply = page.send(change(cue, name, f"{name} {number}"))
                if reply.status == 200:
                    break
                assert reply.status == 412
                page.etag = reply.data["etag"]
            cue, saved[name] = {**cue, "lines": [f"{name} {number}"]}, number

    pages = [threading.Thread(target=save, args=(name,)) for name in saved]
    for one in pages:
        one.start()
    for one in pages:
        one.join()
    page = Page.of(server, published)
    assert saved == {"en/0": 10, "en/1": 10}
    assert [page.cue(name) and page.cue(name)["lines"] for name in saved] == [["en/0 10"], ["en/1 10"]]  # type: ignore[index]
    assert page.read()["rev"] == 20


def test_sound_and_its_peaks_come_by_ranges_and_a_picture_only_from_the_media_folders(
    serve: Serve, published: Path
) -> None:
    server = serve()
    page = Page.of(server, published)
    document = page.read()
    whole = server.ask("GET", f"{page.path}/sound")
    assert (whole.status, len(whole.body)) == (200, document["sound"]["bytes"])
    assert whole.headers["etag"] == f'"{document["sound"]["etag"]}"'
    assert "immutable" in whole.headers["cache-control"]
    for given, status, body in (
        ("bytes=44-103", 206, whole.body[44:104]), ("bytes=-10", 206, whole.body[-10:]), ("bits=1-2", 200, whole.body),
        ("bytes=99999999-", 416, None),
    ):  # fmt: skip
        part = server.ask("GET", f"{page.path}/sound", headers={"range": given})
        assert part.status == status, given
        assert body is None or part.body == body, given
    peaks = server.ask("GET", f"{page.path}/peaks").body
    version, flags, rate, samples, length, channels = struct.unpack("<iIiiIi", peaks[:24])
    assert (version, flags, rate, samples, channels, len(peaks)) == (2, 1, 16_000, 160, 1, 24 + 2 * length)
    assert (document["picture"]["tier"], document["picture"]["stills"]) == ("none", None)  # a stub sees no picture
    for what in ("picture", "stills/0", "stills/x", "files/none", "files/..%2fjob.json", "files/job.json"):
        assert server.ask("GET", f"{page.path}/{what}").status == 404, what
    assert server.ask("GET", f"{page.path}/files/demo.en.vtt").body == (published / "demo.en.vtt").read_bytes()


def test_a_file_that_was_edited_on_disk_is_never_overwritten_unasked(serve: Serve, reel: Reel, published: Path) -> None:
    server = serve()
    page = Page.of(server, published)
    cue = page.cue("en/0")
    assert cue
    assert page.apply().data["code"] == "review.nothing"
    assert page.send(change({**cue, "lines": ["?"]}, "en/0", "No.")).data["code"] == "review.conflict"
    page.read()
    assert not list(reel.results.glob("serve/drafts/*/draft.json"))  # what was refused has begun no draft
    page.send(change(cue, "en/0", "From the page."))
    edited = published / "demo.en.srt"
    edited.write_text("1\n00:00:00,500 --> 00:00:01,000\nFrom the disk.\n", encoding="utf-8")
    refused = page.apply()
    assert (refused.status, refused.data["code"]) == (409, "review.changed-on-disk")
    [told] = refused.data["files"]
    assert (told["name"], told["track"], "From the disk." in told["on_disk"]) == ("demo.en.srt", "en", True)
    assert told["draft"][0]["after"]["lines"] == ["From the page."]
    assert "From the disk." in edited.read_text(encoding="utf-8")
    assert page.apply(on_disk="whoever").status == 422
    both = page.apply(on_disk="page")
    assert both.status == 202, both.body
    assert both.headers["location"].endswith(both.data["job"])
    job = server.wait_for(both.data["job"], "done", "failed")
    assert (job["error"], job["folder"]) == (None, str(published))
    assert [one["open"] for one in server.ask("GET", "/api/1/media").data["media"]] == [0]
    edits = server.ask("GET", f"{page.path}/edits").data
    assert [one["file"] for one in edits["edits"]] == ["demo.en.srt", "demo.en.json"]
    assert edits["waiting"] == []
    after = page.read()
    assert (after["open"], after["apply"]["state"]) == (0, "done")
    dropped = server.ask("DELETE", f"{page.path}/edits")
    assert dropped.status == 202
    assert server.wait_for(dropped.data["job"], "done", "failed")["error"] is None
    assert server.ask("GET", f"{page.path}/edits").data["edits"] == []


def test_a_draft_survives_a_failed_apply_and_a_film_that_is_gone_is_told(
    serve: Serve, films: Path, published: Path
) -> None:
    server = serve()
    page = Page.of(server, published)
    cue = page.cue("en/0")
    assert cue
    page.send(change(cue, "en/0", "Mine."))
    film = films / "demo.mp4"
    content = film.read_bytes()
    film.unlink()
    gone = page.apply()
    assert (gone.status, gone.data["code"]) == (410, "media.missing")
    assert page.read()["apply"]["possible"] is False
    film.write_bytes(content + b"\0")  # another film under its name
    failed = server.wait_for(page.apply().data["job"], "done", "failed")
    assert (failed["state"], failed["error"]["code"]) == ("failed", "edits.media-changed")
    document = page.read()
    assert (document["open"], document["apply"]["state"]) == (1, "failed")
    assert page.cue("en/0") == {**cue, "lines": ["Mine."]}
    film.write_bytes(content)
    assert server.wait_for(page.apply().data["job"], "done", "failed")["error"] is None
    assert page.read()["open"] == 0


def test_a_stranger_neither_reads_nor_changes_a_review(serve: Serve, published: Path) -> None:
    server = serve()
    page = Page.of(server, published)
    for what in ("", "/sound", "/peaks", "/stills/0", "/picture", "/ops", "/edits", "/changes", "/files/demo.en.srt"):
        assert server.ask("GET", page.path + what, headers={"host": "evil.example"}).status == 421, what
    foreign = {"origin": "http://evil.example", "if-match": page.etag}
    for what in ("ops", "undo", "redo", "apply", "glossary"):
        assert server.ask("POST", f"{page.path}/{what}", {"batch": new_batch()}, foreign).status == 403, what
    assert server.ask("DELETE", f"{page.path}/draft", headers=foreign).status == 403
    form = server.ask("POST", f"{page.path}/ops", json.dumps({}).encode(), {"content-type": "text/plain"})
    assert form.status == 415


def test_a_term_goes_to_the_glossary_of_the_run_and_its_words_are_not_recognised_again(
    serve: Serve, reel: Reel, films: Path
) -> None:
    table = films / "names.tsv"
    table.write_text("source\tpt\r\nMarta\t=\r\n", encoding="utf-8")
    reel("run", "--stub", films / "demo.mp4", "--to", "pt", "--glossary", table)
    server = serve()
    page = Page.of(server, reel.out / "demo")
    assert page.read()["glossary"] == {"name": "names.tsv", "terms": ["Marta"]}
    term = {"source": "Big Buck", "targets": {"hi": "x"}, "match": "any-case"}
    asked = server.ask("POST", f"{page.path}/glossary", {"term": term})
    assert (asked.data["written"], asked.data["file"]) == (False, str(table))
    assert "Big Buck" not in table.read_text(encoding="utf-8")
    added = server.ask("POST", f"{page.path}/glossary", {"term": term, "confirm": True})
    assert (added.status, added.data["line"]) == (200, asked.data["line"])
    assert table.read_bytes() == b"source\tpt\tmatch\thi\r\nMarta\t=\r\nBig Buck\t\tany-case\tx\r\n"
    again = server.ask("POST", f"{page.path}/glossary", {"term": term, "confirm": True})
    assert (again.status, again.data["code"]) == (409, "glossary.known")
    assert server.ask("POST", f"{page.path}/glossary", {"term": {}}).status == 422
    cue = page.cue("en/0")
    assert cue
    page.send(change(cue, "en/0", "Mine."))
    job = server.wait_for(page.apply().data["job"], "done", "failed")
    assert job["error"] is None
    record = json.loads((reel.out / "demo" / "job.json").read_text(encoding="utf-8"))
    assert record["settings"]["glossary"] == str(table)
    steps = {one["step"] for one in events_of(server, job["id"]) if one["event"] == "StepDone"}
    assert "asr" not in steps
    assert "correct" in steps


def test_a_run_without_a_glossary_has_none_to_write_to(serve: Serve, published: Path) -> None:
    server = serve()
    page = Page.of(server, published)
    refused = server.ask("POST", f"{page.path}/glossary", {"term": {"source": "Anna"}, "confirm": True})
    assert (refused.status, refused.data["code"]) == (409, "review.no-glossary")


def test_a_draft_keeps_its_sound_and_sound_that_was_pruned_is_made_again_by_the_hint(
    serve: Serve, reel: Reel, published: Path
) -> None:
    server = serve()
    page = Page.of(server, published)
    prune = ("runs", "prune", "--intermediates", "--keep", "0MB", "--older-than", "0d", "--yes")
    cue = page.cue("en/0")
    assert cue
    page.send(change(cue, "en/0", "Mine."))
    reel(*prune)
    assert server.ask("GET", f"{page.path}/sound").status == 200
    assert server.ask("DELETE", f"{page.path}/draft").status == 204
    reel(*prune)
    assert page.read()["sound"] is None
    gone = server.ask("GET", f"{page.path}/sound")
    assert (gone.status, gone.data["code"]) == (404, "review.no-sound")
    reel(*shlex.split(gone.data["hint"].split("`")[1])[1:], "--stub")
    assert server.ask("GET", f"{page.path}/sound").status == 200
    assert page.read()["sound"]


def test_results_without_subtitles_are_corrected_by_the_segments_of_the_transcript(
    serve: Serve, reel: Reel, films: Path
) -> None:
    reel("run", "--stub", films / "demo.mp4", "--recipe", "transcribe")
    server = serve()
    page = Page.of(server, reel.out / "demo")
    document = page.read()
    assert [(one["id"], one["kind"], one["files"]) for one in document["tracks"]] == [
        ("en", "transcript", ["transcript.json"])
    ]
    cue = page.cue("en/0")
    assert cue
    assert (cue["lines"], cue["speaker"]) == (["Hello."], None)
    middle = (cue["start_ms"] + cue["end_ms"]) // 2
    page.send(
        {"id": "en/0", "before": cue, "after": {**cue, "end_ms": middle, "lines": ["Good", "evening."]}},
        {"id": "en/new", "before": None, "after": {**cue, "start_ms": middle, "lines": ["Anna"], "speaker": "anna"}},
        {"id": "speaker/anna", "before": None, "after": {"name": "Anna K."}},
    )
    assert server.wait_for(page.apply().data["job"], "done", "failed")["error"] is None
    [edit] = server.ask("GET", f"{page.path}/edits").data["edits"]
    assert (edit["file"], edit["corrects"]) == ("transcript.json", "refine.transcript")
    [kept] = [path for path in (reel.results / "edits").rglob("*") if b"Anna K." in read(path)]
    told = Transcript.read(kept)
    assert [(one.text, one.start_ms, one.end_ms, one.speaker) for one in told.segments[:2]] == [
        ("Good evening.", 500, 750, None), ("Anna", 750, 1000, "Anna K."),
    ]  # fmt: skip
    assert [(word.text, word.start_ms, word.end_ms) for word in told.segments[0].words] == [
        ("Good", 500, 583), ("evening.", 583, 750),
    ]  # fmt: skip


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
