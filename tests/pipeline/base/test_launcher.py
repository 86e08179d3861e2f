"""Messages write commands and files as they are called here."""

from __future__ import annotations

import pytest

from pipeline.base.errors import Missing
from pipeline.base.events import Notice
from pipeline.base.launcher import INSTALLED, REEL, as_called


@pytest.mark.parametrize(
    ("text", "installed"),
    [
        ("run `./reel models fetch x`", "run `reel models fetch x`"),
        ("  ./reel run film.mkv", "  reel run film.mkv"),
        ("`./reel`", "`reel`"),
        ("see docs/how-to/gated-models.md", "see /code/docs/how-to/gated-models.md"),
        ("docs/reference/stages.md#asr says", "/code/docs/reference/stages.md#asr says"),
        ("config/secrets.example.json shows one", "/code/config/secrets.example.json shows one"),
        ("put it into config/secrets.json", "put it into config/secrets.json"),  # the project has it, not the code
        ("/films/./reel two.mkv is not there", "/films/./reel two.mkv is not there"),
        ("./reels/docs/how-to/x and my-docs/how-to/x", "./reels/docs/how-to/x and my-docs/how-to/x"),
    ],
)
def test_an_installed_reel_names_itself_and_its_files_by_where_they_are(text: str, installed: str) -> None:
    assert as_called(text, "reel", "/code/") == installed
    assert as_called(text, "./reel", "") == text


def test_hints_and_notes_are_told_so_by_themselves() -> None:
    assert not INSTALLED
    assert REEL == "./reel"
    assert Missing("a.b", "gone", hint="`./reel doctor`").hint == "`./reel doctor`"
    assert Notice(None, None, "`./reel doctor`").text == "`./reel doctor`"
