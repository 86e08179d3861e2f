"""Builds HTML from parts. What is not markup already is escaped, so that no name and no text can become markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable
from functools import cache
from html import escape
from pathlib import Path

from pipeline.base.display import readable

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_EMPTY = frozenset({"br", "meta", "path", "rect"})


class Html(str):
    """Markup: text that needs no more escaping."""

    __slots__ = ()


Part = str | Iterable[Html] | None


def text(value: object) -> Html:
    """Return a value as text; control characters, which HTML cannot hold, are shown escaped."""
    return Html(escape(readable(str(value))))


def spoken(words: str) -> Html:
    """Return words of a film as text. Their marks of writing direction count, unlike those in a name, which could make
    it look like another; the element around them has to end their effect, as one with `dir` does."""
    return Html(escape(_CONTROLS.sub("\ufffd", words)))


def together(*parts: Part) -> Html:
    """Return the parts one after another; None is left out."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, Html):
            found.append(part)
        elif isinstance(part, str):
            found.append(text(part))
        elif part is not None:
            found += part
    return Html("".join(found))


def element(tag: str, /, *parts: Part, **attributes: str | int | float | bool | None) -> Html:
    """Return an element. An attribute's `_` stands for `-`, and one at the end is dropped: `class_`. One that is None
    or False is left out."""
    shown = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        shown.append(f" {key}" if value is True else f' {key}="{text(value)}"')
    start = f"<{tag}{''.join(shown)}>"
    return Html(start) if tag in _EMPTY and not parts else Html(f"{start}{together(*parts)}</{tag}>")


def table_row(cells: Iterable[Part], numbers: Collection[int] = ()) -> Html:
    """Return a row of a table; `numbers` are the columns that are set to the right."""
    kinds = dict.fromkeys(numbers, "number")
    return element("tr", [element("td", cell, class_=kinds.get(number)) for number, cell in enumerate(cells)])


def table_of(head: Iterable[str], rows: Iterable[Html], caption: str, numbers: Collection[int] = ()) -> Html:
    """Return a table of rows. Its box can be scrolled by keys."""
    kinds = dict.fromkeys(numbers, "number")
    titles = [element("th", title, scope="col", class_=kinds.get(number)) for number, title in enumerate(head)]
    named = element("caption", caption, class_="unseen")
    content = element("table", named, element("thead", element("tr", titles)), element("tbody", rows))
    return element("div", content, class_="wide", role="region", aria_label=caption, tabindex="0")


def table(head: Iterable[str], rows: Iterable[Iterable[Part]], caption: str, numbers: Collection[int] = ()) -> Html:
    """Return a table of cells, row by row."""
    return table_of(head, (table_row(row, numbers) for row in rows), caption, numbers)


def within(rows: Iterable[Html], size: int) -> tuple[list[Html], int]:
    """Return the first rows, as many as fit into so many characters, and how many are left out."""
    kept: list[Html] = []
    left = 0
    for row in rows:
        size -= len(row)
        if size >= 0:
            kept.append(row)
        else:
            left += 1
    return kept, left


GENERATOR = element("meta", name="generator", content="reel")


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def policy() -> str:
    """Return the content security policy of a report: its own style, and nothing else. A server that shows a report
    sends it too, in place of the policy of its pages."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def page(title: str, *parts: Part) -> str:
    """Return a whole document that needs no other file."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        GENERATOR,
        element("meta", http_equiv="Content-Security-Policy", content=policy()),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Html(_style())),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', *parts), lang='en')}\n"
