"""A film under review: a real server on results that no model made, and what its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from benchmarks.made_up_film import Line
from shared.documents.removals import Removal
from tests.conftest import Reel
from tests.fakes.web_client import Server

NAME = "<img src=x onerror=alert(1)>.mp4"
MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>"
ARABIC, HEBREW = "مرحبا، هذا Reel 2.0 يعمل!", "שלום (world) 123, מה שלומך?"
LINES = (
    Line("Good evening, dear friends of the cinema."),
    Line("Yesterday we met Marta.", doubts={"Marta": 0.3}),
    Line("The dog of Marta was here."),
    Line("Then Marta said hello.", "SPEAKER_01"),
    Line(MARKUP, "SPEAKER_01"),
    Line(ARABIC),
    Line(HEBREW),
    Line("Perhaps it was nothing at all.", doubts={"nothing": 0.2, "at": 0.2, "all": 0.2}),
    Line("Good night."),
)
REMOVED = Removal(start_ms=0, end_ms=400, text="Thanks for <b>watching</b>!", reason="stock-phrase")
GLOSSARY = "source,pt\nReel,=\n"


@dataclass(frozen=True)
class Review:
    """A server with one published film, and the name of its review."""

    reel: Reel
    server: Server
    id: str

    @property
    def path(self) -> str:
        return f"/review/{self.id}"

    @property
    def glossary(self) -> Path:
        """Return the glossary of the run."""
        return self.reel.folder / "names.csv"

    @property
    def published(self) -> dict[str, bytes]:
        """Return the contents of the published files."""
        folder = Path(self.document["folder"])
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    @property
    def api(self) -> str:
        return f"/api/1/media/{self.id}"

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.ask("GET", self.api).data
        return found

    @property
    def lines(self) -> list[str]:
        """Return the texts of the spoken cues as the server has them."""
        cues = [one["cue"] for one in self.document["cues"] if one["track"] == "en"]
        return ["\n".join(cue["lines"]) for cue in cues]

    def save(self, *operations: dict[str, Any]) -> None:
        """Save operations as another browser would."""
        etag = self.document["etag"]
        batch = f"elsewhere-{etag.strip(chr(34)).replace('.', '-')}"
        reply = self.server.ask("POST", f"{self.api}/ops", {"batch": batch, "ops": [*operations]}, {"if-match": etag})
        assert reply.status == 200, reply.body

    def retext(self, number: int, text: str) -> dict[str, Any]:
        """Return the operation that gives the spoken cue `number` another text."""
        found = [one for one in self.document["cues"] if one["track"] == "en"][number]
        return {"id": found["id"], "before": found["cue"], "after": {**found["cue"], "lines": text.split("\n")}}

    def forget(self) -> None:
        """Drop the draft, and what was added to the glossary."""
        self.glossary.write_text(GLOSSARY, encoding="utf-8")
        assert self.server.ask("DELETE", f"{self.api}/draft").status in {204, 409}

    def drop_edits(self) -> None:
        """Drop what was applied, and wait until the files are made as they were."""
        job = self.server.ask("DELETE", f"{self.api}/edits").data["job"]
        assert self.server.wait_for(job, "done", "failed")["error"] is None


def start_review(reel: Reel, server: Server, name: str) -> Review:
    """Return the review of the film called `name`."""
    found = [one for one in server.ask("GET", "/api/1/media").data["media"] if one["name"] == name]
    return Review(reel, server, found[0]["id"])


def ready(page: Page) -> Page:
    """Wait until the page shows its film."""
    expect(page.locator("#panes")).not_to_have_attribute("aria-busy", "true")
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def text_box(page: Page) -> Locator:
    return page.get_by_label("Text of the cue")


def chosen(page: Page) -> str:
    """Return the text that is chosen in the text box."""
    script = "box => box.value.slice(box.selectionStart, box.selectionEnd)"
    found: str = text_box(page).evaluate(script)
    return found


def row(page: Page, text: str) -> Locator:
    return page.locator(".cue", has_text=text)


def is_saved(page: Page) -> None:
    expect(page.locator("#saved")).to_contain_text("saved ")
