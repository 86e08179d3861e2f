"""Claims about the requests that the server lets in."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.web.access import Access, RequestFacts, cookie_name, host_name, is_loopback
from pipeline.web.media_roots import MediaRoots
from pipeline.web.refused import Refused
from pipeline.web.uploads import Uploads, safe_label

OPEN = Access(frozenset({"localhost", "127.0.0.1", "reel"}))
CLOSED = Access(frozenset({"localhost"}), "secret")


def asked(method: str = "GET", path: str = "/api/1/jobs", query: str = "", **headers: str) -> RequestFacts:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestFacts(method, path, query, {"host": "localhost:9000", **named}, "127.0.0.1")


def status(access: Access, one: RequestFacts, now_s: float = 0.0) -> int:
    denied = access.denial(one, now_s)
    return denied.status if denied else 200


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost:9000", "localhost"), ("LOCALHOST", "localhost"), ("[::1]:9000", "::1"), ("reel.", "reel"), ("", "")],
)
def test_a_host_is_known_by_its_name_without_port_and_case(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("host", "name"),
    [("localhost:9000", "reel-token-9000"), ("[::1]:9001", "reel-token-9001"), ("[::1]", "reel-token"),
     ("reel", "reel-token"), ("reel:9;x", "reel-token")],
)  # fmt: skip
def test_each_port_has_a_cookie_of_its_own(host: str, name: str) -> None:
    assert cookie_name(host) == name


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9000", "", "localhost.evil.example", "[::2]"])
def test_a_request_by_another_name_is_misdirected(host: str) -> None:
    assert status(OPEN, asked(host=host)) == 421


def test_a_page_of_another_site_may_read_nothing_new_and_change_nothing() -> None:
    assert status(OPEN, asked("POST")) == 200, "a program sends no origin"
    assert status(OPEN, asked("POST", origin="http://localhost:9000")) == 200
    assert status(OPEN, asked("POST", origin="http://localhost:9000", sec_fetch_site="same-origin")) == 200
    assert status(OPEN, asked("POST", origin="http://evil.example")) == 403
    assert status(OPEN, asked("POST", origin="http://localhost:9001")) == 403
    assert status(OPEN, asked("POST", origin="null")) == 403
    for odd in ("http://[", "localhost:9000", "//localhost:9000", "http://localhost:9000/", "\xff", ""):
        assert status(OPEN, asked("POST", origin=odd)) == 403, odd
    assert status(OPEN, asked("DELETE", sec_fetch_site="cross-site")) == 403
    assert status(OPEN, asked("POST", sec_fetch_site="same-site")) == 403


def test_the_token_comes_in_a_header_or_a_cookie_and_in_the_query_of_a_hook_only() -> None:
    assert status(CLOSED, asked()) == 401
    assert status(CLOSED, asked(authorization="Bearer secret")) == 200
    assert status(CLOSED, asked(authorization="Bearer secres")) == 401
    assert status(CLOSED, asked(cookie="a=b; reel-token-9000=secret")) == 200
    assert status(CLOSED, asked(cookie="reel-token-9001=other; reel-token-9000=secret")) == 200, "of two servers"
    assert status(CLOSED, asked(query="token=secret")) == 401
    assert status(CLOSED, asked("POST", "/hooks/plex", "token=secret")) == 200
    assert status(CLOSED, asked(path="/health")) == 200


def test_the_page_that_asks_for_the_token_and_its_files_are_open_and_no_other_is() -> None:
    for path in ("/login", "/static/design.css", "/static/login/page.js"):
        assert status(CLOSED, asked(path=path)) == 200
    for path in ("/", "/login/x", "/static", "/review/static/", "/api/1/login", "/openapi.json"):
        assert status(CLOSED, asked(path=path)) == 401


def test_guessing_the_token_is_slowed_down() -> None:
    access = Access(frozenset({"localhost"}), "secret")
    assert [status(access, asked(authorization="Bearer no"), now_s=1) for _ in range(11)] == [401] * 10 + [429]
    assert status(access, asked(authorization="Bearer secret"), now_s=2) == 429
    assert status(access, asked(authorization="Bearer secret"), now_s=62) == 200


def test_only_an_address_of_this_machine_is_loopback() -> None:
    assert [is_loopback(one) for one in ("127.0.0.1", "::1", "localhost", "127.9.9.9")] == [True] * 4
    assert not any(is_loopback(one) for one in ("0.0.0.0", "::", "192.168.1.2", "reel.example"))


def test_a_path_leads_into_the_media_folders_or_nowhere(tmp_path: Path) -> None:
    films, other = tmp_path / "films", tmp_path / "other"
    for folder in (films, other):
        folder.mkdir()
        (folder / "a.mkv").write_bytes(b"film")
    (films / "link.mkv").symlink_to(other / "a.mkv")
    (films / "inside.mkv").symlink_to(films / "a.mkv")
    roots = MediaRoots.of([str(films)], [("/data", str(films)), ("/data/more", str(other)), ("Z:\\tv", str(films))])
    assert roots.find(str(films / "a.mkv")) == films / "a.mkv"
    assert roots.find(str(films / "inside.mkv")) == films / "a.mkv"
    assert roots.find("/data/a.mkv") == films / "a.mkv"
    assert roots.find("Z:\\tv\\a.mkv") == films / "a.mkv"
    assert roots.mapped("/database/a.mkv") == "/database/a.mkv", "a map is of whole folders"
    bad = [
        "a.mkv", f"{films}/../other/a.mkv", f"{films}/link.mkv", "/proc/self/environ", "/dev/zero", f"{films}/a\0.mkv",
        str(films), f"{films}/none.mkv", "/data/more/a.mkv", "", f"{films}/%2e%2e/other/a.mkv",
    ]  # fmt: skip
    for name in bad:
        with pytest.raises(Refused) as caught:
            roots.find(name)
        assert 400 <= caught.value.status < 500, name


@given(st.text(max_size=200))
def test_a_label_is_the_name_of_a_file_in_its_folder(text: str) -> None:
    label = safe_label(text)
    assert Path(label).name == label
    assert label not in {"", ".", ".."}
    assert not label.startswith(".")
    assert len(label.encode("utf-8", "replace")) <= 110
    assert "\0" not in label


def test_what_is_too_large_or_does_not_fit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    assert Uploads(tmp_path / "a", 100, 0).room(101).status == 413  # type: ignore[union-attr]
    assert Uploads(tmp_path / "a", 100, 0).room(100) is None
    assert Uploads(tmp_path / "b", 1 << 40, 1 << 60).room(2 << 20).status == 507  # type: ignore[union-attr]


def test_an_upload_that_is_there_stays_the_file_that_a_job_reads_and_goes_after_its_time(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", 1 << 20, 0)
    first = uploads.take(io.BytesIO(b"sound"), "a.mp3")
    inode = first.path.stat().st_ino
    again = uploads.take(io.BytesIO(b"sound"), "a.mp3")
    assert (again, again.path.stat().st_ino) == (first, inode)
    assert list(uploads.arriving.iterdir()) == []
    uploads.sweep({str(first.path)}, kept_s=-1)
    assert first.path.exists(), "a job needs it"
    uploads.sweep((), kept_s=3600)
    assert first.path.exists(), "it is new"
    uploads.sweep((), kept_s=-1)
    assert not first.path.exists()


def test_raw_samples_get_a_header_and_files_with_one_of_their_own_do_not(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", 1 << 20, 0)
    content = uploads.take(io.BytesIO(b"\0\1" * 800), "a", samples=True).path.read_bytes()
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (16_000, 1, 800)
    for file in (b"RIFF" + bytes(40), b"ID3" + bytes(41), b"\0\0\0 ftypisom" + bytes(20), b"odd"):
        assert uploads.take(io.BytesIO(file), "b", samples=True).path.read_bytes() == file
