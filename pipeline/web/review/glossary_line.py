"""Adds a term to the user's glossary, and changes nothing else in the file: its columns, its order, its line ends."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pipeline.base.errors import BadInput
from shared.documents.base import DocumentError
from shared.files import write_atomically
from shared.text.glossary import Glossary, Term

_SEPARATORS = "\t;,"


def with_term(content: bytes, name: str, term: Term) -> tuple[bytes, str]:
    """Return the content of a glossary with one more term, and the line for it. Raises `BadInput`.

    Columns that the term needs and the table lacks are added at the end of its header.
    """
    known = _parsed(content, name)
    if any(one.source == term.source for one in known.terms):
        raise BadInput(
            "glossary.known", f"{name} has the term `{term.source}` already", hint="change its line in the file"
        )
    text = content.decode("utf-8")
    ends = "\r\n" if "\r\n" in text else "\n"
    head, _, rest = text.partition("\n")
    head = head.rstrip("\r")
    separator = max(_SEPARATORS, key=head.count)
    cells = {"source": term.source, "match": "" if term.match == "word" else term.match, **term.targets}
    cells |= {"target": term.target or "", "note": term.note}
    columns = [one.strip().lower() for one in next(csv.reader([head.lstrip("\ufeff")], delimiter=separator))]
    lacking = [column for column, cell in cells.items() if cell and column.lower() not in columns]
    head += "".join(separator + column for column in lacking)
    columns += [column.lower() for column in lacking]
    by_column = {column.lower(): cell for column, cell in cells.items()}
    line = _row([by_column.get(column, "") for column in columns], separator)
    body = rest if not rest or rest.endswith("\n") else rest + ends
    made = f"{head}{ends}{body}{line}{ends}".encode()
    if _parsed(made, name).terms != (*known.terms, term):
        raise BadInput("glossary.invalid", f"`{term.source}` cannot be written to {name}", hint="write it by hand")
    return made, line


def line_for(path: Path, term: Term) -> str:
    """Return the line that `write_term` would add. Raises `BadInput`."""
    try:
        return with_term(path.read_bytes(), path.name, term)[1]
    except OSError as error:
        raise _unusable(path, error) from error


def write_term(path: Path, term: Term) -> str:
    """Add a term to the file, and return its line. Raises `BadInput`."""
    try:
        place = path.resolve(strict=True)  # a link stays one
        made, line = with_term(place.read_bytes(), path.name, term)
        mode = place.stat().st_mode
        write_atomically(place, made)
        place.chmod(mode & 0o7777)
    except OSError as error:
        raise _unusable(path, error) from error
    return line


def _unusable(path: Path, error: OSError) -> BadInput:
    why = error.strerror or str(error)
    return BadInput("glossary.unreadable", f"the glossary {path} cannot be read and written: {why}")


def _parsed(content: bytes, name: str) -> Glossary:
    try:
        return Glossary.parse(content, name)
    except DocumentError as error:
        raise BadInput("glossary.invalid", str(error), hint="docs/reference/files.md tells what it holds") from error


def _row(cells: list[str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="").writerow(cells)
    return text.getvalue().rstrip(separator)
