"""Claims about `POST /api/1/ocr`, on stub stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.web.apis.document_files import is_document
from tests.fakes.pdf import pdf
from tests.fakes.web_client import Reply, Server
from tests.pipeline.web.conftest import DEMO
from tests.pipeline.web.test_audio_apis import form

Serve = Callable[..., Server]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def ocr(server: Server, content: bytes, *fields: tuple[str, str], name: str = "file") -> Reply:
    return server.ask("POST", "/api/1/ocr", *form(fields, name, content, "page.dat"))


def test_a_picture_and_a_pdf_are_answered_with_text_lines_and_the_model(serve: Serve, films: Path) -> None:
    server = serve()
    for content in (PNG, pdf(["One"])):
        reply = ocr(server, content, ("language", "de"))
        assert reply.status == 200, reply.body
        assert reply.data == {
            "text": "Page 1",
            "lines": [{"text": "Page 1", "box": None, "probability": None, "page": 1}],
            "pages": [{"number": 1, "width": 1, "height": 1}],
            "language": "de", "model": "stub", "revision": None,
        }  # fmt: skip
        assert server.job(reply.headers["reel-job"])["source"] == "ocr"
    (films / "scan.png").write_bytes(PNG)
    named = server.ask("POST", "/api/1/ocr", {"path": str(films / "scan.png")})
    assert (named.status, named.data["text"]) == (200, "Page 1")
    assert not list(films.glob("*.txt")), "an answer is published nowhere"


def test_a_film_is_answered_too_and_has_no_pages(serve: Serve, films: Path) -> None:
    server = serve()
    reply = ocr(server, DEMO.read_bytes())
    assert (reply.status, reply.data["pages"], reply.data["lines"]) == (200, [], [])
    refused = ocr(server, DEMO.read_bytes(), ("page", "1"))
    assert (refused.status, refused.data["code"]) == (422, "serve.page")


def test_a_mistake_is_told_before_anything_is_kept(serve: Serve, films: Path, tmp_path: Path) -> None:
    server = serve()
    for field, status, code in (
        (("model", "tesseract"), 404, "serve.model"), (("page", "first"), 422, "serve.number"),
        (("page", "0"), 422, "params.invalid"), (("page", "1.5"), 422, "params.invalid"),
        (("region", "left"), 422, "params.invalid"), (("language", "klingonisch"), 422, "params.invalid"),
    ):  # fmt: skip
        reply = ocr(server, PNG, field)
        assert (reply.status, reply.data["code"]) == (status, code), field
    assert ocr(server, PNG, name="picture").data["code"] == "missing_required_parameter"
    assert ocr(server, b"").data["code"] == "media.empty"
    outside = server.ask("POST", "/api/1/ocr", {"path": str(tmp_path / "other.png")})
    assert (outside.status, outside.data["code"]) == (403, "serve.outside")
    assert server.ask("GET", "/api/1/jobs").data["jobs"] == []


def test_a_page_of_another_site_may_not_send_a_form(serve: Serve) -> None:
    body, headers = form([], "file", PNG, "page.png")
    server = serve()
    assert server.ask("POST", "/api/1/ocr", body, {**headers, "origin": "http://evil.example"}).status == 403
    assert server.ask("POST", "/api/1/jobs", body, headers).status == 415, "elsewhere no form is taken"


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (PNG, True), (b"\xff\xd8\xff\xe0", True), (b"GIF89a", True), (b"II*\0", True), (b"MM\0*", True),
        (b"RIFF\x10\0\0\0WEBPVP8 ", True), (b"\0\0\0\x20ftypavif", True), (b"junk\n%PDF-1.4", True),
        (b"BM" + bytes(12) + b"\x28\0\0\0", True),
        (b"\0\0\0\x20ftypisom", False), (b"RIFF\x10\0\0\0WAVEfmt ", False), (b"BMW drives", False), (b"", False),
    ],
)  # fmt: skip
def test_the_first_bytes_tell_a_document_from_a_film(head: bytes, is_one: bool, tmp_path: Path) -> None:
    file = tmp_path / "page.mp4"
    file.write_bytes(head)
    assert is_document(file) is is_one
