"""Read the user's glossary: how names and terms must be written by every stage that transcribes, translates or refines.

A glossary is a text table with a header, with tabs, commas or semicolons, so that any spreadsheet can edit it:

    source           match     hi        pt-BR    target    note
    Big Buck Bunny                                          kept as it is in every language
    popcorn          any-case  पॉपकॉर्न    pipoca
    Marta                      मार्टा                          =      in Hindi, and kept in all others

`source` is the term as it is spoken. A column named by a BCP-47 tag holds the term in that language, `target` the term
in every language without an entry of its own; `=` keeps the term. A term without any of them is kept everywhere.
`match` is `word`, the default: whole words, with these capitals; `any-case`: with any capitals; or `part`: inside a
longer word too.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self, get_args

from shared.documents.base import DocumentError, Frozen
from shared.files import write_atomically
from shared.stage import StageError
from shared.text.language import parse_language, primary
from shared.text.tables import separator_of
from shared.text.text_width import is_spaceless

Match = Literal["word", "any-case", "part"]
KEEP = "="
_COLUMNS = ("source", "match", "target", "note")


class Term(Frozen):
    """A term as it is spoken, and its renderings. `targets` is by BCP-47 tag; `KEEP` stands for the term itself."""

    source: str
    target: str | None = None
    targets: dict[str, str] = {}
    match: Match = "word"
    note: str = ""

    def rendering(self, language: str) -> str | None:
        """Return the term in a language; None if the glossary leaves that to the translator."""
        if self.target is None and not self.targets:
            return self.source
        written = self.targets.get(language) or self.targets.get(primary(language)) or self.target
        return self.source if written == KEEP else written


@dataclass(frozen=True)
class Found:
    """A term in a text, from the character at `start` to the one before `end`."""

    start: int
    end: int
    term: Term


class Glossary(Frozen):
    """The terms in the order of the user's file; no two have the same source."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the table at `path`. Raises `OSError`, and `DocumentError` with the line of the mistake."""
        return cls.parse(path.read_bytes(), str(path))

    @classmethod
    def parse(cls, content: bytes, name: str) -> Self:
        """Return the table in the content of a file called `name`. Raises `DocumentError` with the line of the
        mistake."""
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DocumentError(f"{name} is not a glossary: expected text in UTF-8, {error.reason}") from error
        try:
            return cls(terms=tuple(_terms(text)))
        except (ValueError, csv.Error) as error:
            raise DocumentError(f"{name} is not a glossary: {error}") from error

    def write(self, path: Path) -> Path:
        """Write the table with tabs to `path` by rename, and return `path`."""
        write_atomically(path, self.as_text().encode())
        return path

    def as_text(self) -> str:
        """Return the table in the form that `read` accepts, with the columns that some term needs."""
        tags = list(dict.fromkeys(tag for term in self.terms for tag in term.targets))
        rows = [[*_COLUMNS[:2], *tags, *_COLUMNS[2:]]]
        for term in self.terms:
            match = "" if term.match == "word" else term.match
            translations = [term.targets.get(tag, "") for tag in tags]
            rows.append([term.source, match, *translations, term.target or "", term.note])
        used = [column for column in range(len(rows[0])) if column == 0 or any(row[column] for row in rows[1:])]
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerows([row[column] for column in used] for row in rows)
        return text.getvalue()

    def find(self, text: str) -> tuple[Found, ...]:
        """Return the places of terms in a text, in order. Of two that overlap, the first counts, then the longest."""
        hits = sorted(
            (hit.start(), -hit.end(), number)
            for number, term in enumerate(self.terms)
            for hit in _pattern(term.source, term.match).finditer(text)
            if term.match == "part" or _is_whole_word(text, hit.start(), hit.end())
        )
        found: list[Found] = []
        for start, end, number in hits:
            if not found or start >= found[-1].end:
                found.append(Found(start, -end, self.terms[number]))
        return tuple(found)

    def into(self, language: str) -> Glossary:
        """Return the terms that have a rendering in a language."""
        return Glossary(terms=tuple(term for term in self.terms if term.rendering(language)))

    def extended_by(self, others: Glossary) -> Glossary:
        """Return the glossary with further terms, of those whose source it does not have yet."""
        known = {term.source for term in self.terms}
        return Glossary(terms=(*self.terms, *(term for term in others.terms if term.source not in known)))

    @property
    def hotwords(self) -> str:
        """Return the terms in the form that recognisers take, in their order: only some dozens fit, the first ones."""
        return ", ".join(term.source for term in self.terms)

    def kept(self, original: str, written: str, language: str) -> dict[str, tuple[int, int]]:
        """Return for each term in the original how often it occurs, and how many of these occurrences have their
        rendering in the translation."""
        hits = self.into(language).find(original)
        met = Counter(hit.term.source for hit in hits)
        renderings = {hit.term.source: hit.term.rendering(language) or "" for hit in hits}
        found = count_in(written, renderings.values())
        counts: dict[str, tuple[int, int]] = {}
        for source, times in met.items():
            counts[source] = times, min(times, found[renderings[source]])
            found[renderings[source]] -= counts[source][1]
        return counts


def glossary_of(table: Path | None) -> Glossary:
    """Read a job's table, or return an empty glossary without one. Raises `StageError`."""
    if table is None:
        return Glossary()
    try:
        return Glossary.read(table)
    except DocumentError as error:
        raise StageError(
            "glossary.invalid", str(error), "correct the table; its columns are in the reference"
        ) from error


def cut_hotwords(hotwords: str, fits: Callable[[str], bool]) -> tuple[str, list[str]]:
    """Return the first hotwords that fit, and those that do not. A library would cut inside a name, and some libraries
    drop the first hotwords."""
    if fits(hotwords):
        return hotwords, []
    separator = ", " if "," in hotwords else " "
    words = [word for part in hotwords.split(separator.strip() or None) if (word := part.strip())]
    counts = range(1, len(words) + 1)
    taken = bisect_left(counts, True, key=lambda count: not fits(separator.join(words[:count])))
    return separator.join(words[:taken]), words[taken:]


def count_in(text: str, renderings: Iterable[str]) -> Counter[str]:
    """Return how often each rendering occurs in a text, also inside words. Of two that overlap, the longer one
    counts."""
    wanted = {unicodedata.normalize("NFC", rendering): rendering for rendering in renderings}
    terms = Glossary(terms=tuple(Term(source=rendering, match="part") for rendering in wanted if rendering))
    return Counter(wanted[hit.term.source] for hit in terms.find(unicodedata.normalize("NFC", text)))


@lru_cache(maxsize=4096)
def _pattern(source: str, match: Match) -> re.Pattern[str]:
    """Return the pattern of a term: with any white space between its words, and accents as one character or as two."""
    forms = dict.fromkeys([source, *(unicodedata.normalize(form, source) for form in ("NFC", "NFD"))])
    written = "|".join(r"\s+".join(re.escape(word) for word in form.split()) for form in forms)
    return re.compile(written, re.IGNORECASE if match == "any-case" else 0)


def _is_whole_word(text: str, start: int, end: int) -> bool:
    """Tell whether the text from `start` to `end` is not a part of a longer word. In scripts without spaces, it never
    is."""
    return not (start and _continues_word(text[start - 1], text[start])) and not (
        end < len(text) and _continues_word(text[end - 1], text[end])
    )


def _continues_word(before: str, after: str) -> bool:
    if unicodedata.category(after)[0] == "M":
        return True
    return (
        _is_word_character(before) and _is_word_character(after) and not (is_spaceless(before) or is_spaceless(after))
    )


def _is_word_character(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _terms(text: str) -> Iterator[Term]:
    """Yield the rows as terms. Raises `ValueError`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text), strict=True)
    columns = [_column(name) for name in next(reader, [])]
    if "source" not in columns:
        raise ValueError(f"expected a header with a column `source`, found {text[:60].partition(chr(10))[0]!r}")
    if twice := [name for name in columns if name and columns.count(name) > 1]:
        raise ValueError(f"the column `{twice[0]}` appears twice in its header")
    lines: dict[str, int] = {}
    for row in reader:
        if any(cell.strip() for cell in row):
            term = _term(dict(_cells(columns, row, reader.line_num)), reader.line_num)
            if term.source in lines:
                raise ValueError(f"lines {lines[term.source]} and {reader.line_num} both define `{term.source}`")
            lines[term.source] = reader.line_num
            yield term


def _column(name: str) -> str:
    """Return the name of a column: one of ours, or a language's tag."""
    plain = name.strip().lower()
    if plain in _COLUMNS or not plain:
        return plain
    try:
        return parse_language(name)
    except ValueError as error:
        raise ValueError(
            f"its column `{name.strip()}` is neither {', '.join(_COLUMNS)} nor a language like `hi` or `pt-BR`"
        ) from error


def _cells(columns: list[str], row: list[str], line: int) -> Iterator[tuple[str, str]]:
    """Yield the cells that hold something, each with its column."""
    for number, cell in enumerate(row):
        if content := " ".join(cell.split()):
            if number >= len(columns) or not columns[number]:
                raise ValueError(f"line {line} holds `{content[:40]}` in a column without a name")
            yield columns[number], content


def _term(cells: dict[str, str], line: int) -> Term:
    source, match = cells.pop("source", ""), cells.pop("match", "word").lower()
    if not source:
        raise ValueError(f"line {line} has no `source`")
    if match not in get_args(Match):
        raise ValueError(f"line {line} has the match `{match}`, expected one of {', '.join(get_args(Match))}")
    target, note = cells.pop("target", None), cells.pop("note", "")
    return Term(source=source, target=target, targets=cells, match=match, note=note)
