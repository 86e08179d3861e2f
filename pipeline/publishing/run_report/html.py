"""Builds HTML from parts. Text that is not `Html` is escaped, so that no name and no text can become markup."""

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
    """Markup, which is not escaped again."""

    __slots__ = ()


Part = str | Iterable[Html] | None


def text(value: object) -> Html:
    """Return a value as escaped text; control characters, which HTML cannot contain, are shown as escapes."""
    return Html(escape(readable(str(value))))


def spoken(words: str) -> Html:
    """Return words of a film as escaped text. Marks of writing direction keep their effect, unlike in a name, which
    they could disguise. The element around the words must end that effect, as one with `dir` does."""
    return Html(escape(_CONTROLS.sub("\ufffd", words)))


def together(*parts: Part) -> Html:
    """Join the parts; None is left out."""
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
    """Return an element. In the name of an attribute, `_` stands for `-`, except at the end: `class_`. An attribute
    that is None or False is left out."""
    shown = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        shown.append(f" {key}" if value is True else f' {key}="{text(value)}"')
    start = f"<{tag}{''.join(shown)}>"
    return Html(start) if tag in _EMPTY and not parts else Html(f"{start}{together(*parts)}</{tag}>")


def table_row(cells: Iterable[Part], numbers: Collection[int] = ()) -> Html:
    """Return a row of a table; the columns in `numbers` are right-aligned."""
    kinds = dict.fromkeys(numbers, "number")
    return element("tr", [element("td", cell, class_=kinds.get(number)) for number, cell in enumerate(cells)])


def table_of(head: Iterable[str], rows: Iterable[Html], caption: str, numbers: Collection[int] = ()) -> Html:
    """Return a table of rows, in a box that can be scrolled with the keyboard."""
    kinds = dict.fromkeys(numbers, "number")
    titles = [element("th", title, scope="col", class_=kinds.get(number)) for number, title in enumerate(head)]
    named = element("caption", caption, class_="unseen")
    content = element("table", named, element("thead", element("tr", titles)), element("tbody", rows))
    return element("div", content, class_="wide", role="region", aria_label=caption, tabindex="0")


def table(head: Iterable[str], rows: Iterable[Iterable[Part]], caption: str, numbers: Collection[int] = ()) -> Html:
    """Return a table of rows of cells."""
    return table_of(head, (table_row(row, numbers) for row in rows), caption, numbers)


def within(rows: Iterable[Html], size: int) -> tuple[list[Html], int]:
    """Return the first rows, as many as fit into `size` characters, and the number of rows that are left out."""
    kept: list[Html] = []
    left_out = 0
    for row in rows:
        size -= len(row)
        if size >= 0:
            kept.append(row)
        else:
            left_out += 1
    return kept, left_out


GENERATOR = element("meta", name="generator", content="reel")


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def policy() -> str:
    """Return the content security policy of a report, which allows only its own style. A server that shows a report
    sends it instead of the policy of its own pages."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def page(title: str, *parts: Part) -> str:
    """Return a complete document that needs no other file."""
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
