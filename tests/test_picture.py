"""The README's picture of a run."""

from __future__ import annotations

import html
import re

from docs.picture import COMMAND, PICTURE
from pipeline.plan.registry import STAGES
from tests.source_tree import ROOT, name_of


def test_the_picture_shows_stages_that_there_are_and_loads_nothing() -> None:
    svg = PICTURE.read_text(encoding="utf-8")
    text = html.unescape("".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))).replace("\xa0", " ")
    at_work = re.findall(r"w\d\d (\w+) \(", text)

    assert name_of(PICTURE) in (ROOT / "README.md").read_text(encoding="utf-8")
    assert COMMAND in text
    assert "files finished" in text
    assert at_work
    assert set(at_work) <= set(STAGES)
    assert re.findall(r"https?://", svg) == ["http://"]  # the name of the format
    assert not re.search(r"url\((?!#)|@import|<script|/tmp/", svg)
