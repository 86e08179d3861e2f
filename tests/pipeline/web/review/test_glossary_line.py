"""Claims about a new line in a user's glossary: the rest of the file stays as it is, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.web.review.glossary_line import with_term, write_term
from shared.text.glossary import Glossary, Term
from tests.conftest import examples

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=8)
TERMS = st.builds(
    Term, source=TEXTS, target=st.none() | TEXTS, targets=st.dictionaries(st.sampled_from(["hi", "pt-BR"]), TEXTS),
    match=st.sampled_from(["word", "any-case", "part"]), note=st.just("") | TEXTS,
)  # fmt: skip


@examples(1)
@given(st.lists(TERMS, max_size=4, unique_by=lambda one: one.source), TERMS, st.sampled_from("\t;,"), st.booleans())
def test_a_new_term_is_read_back_and_no_other_line_changes(
    known: list[Term], term: Term, separator: str, windows: bool
) -> None:
    ends = "\r\n" if windows else "\n"
    text = Glossary(terms=tuple(known)).as_text()
    if separator in text.replace("\t", ""):
        separator = "\t"
    content = ("\ufeff" if windows else "").encode() + text.replace("\t", separator).replace("\n", ends).encode()
    before = Glossary.parse(content, "names")
    if any(one.source == term.source for one in known):
        with pytest.raises(BadInput, match="already"):
            with_term(content, "names", term)
        return
    try:
        made, line = with_term(content, "names", term)
    except BadInput:
        return  # a text that the table cannot hold is refused
    assert Glossary.parse(made, "names").terms == (*before.terms, term)
    assert made.endswith(f"{line}{ends}".encode())
    rows = content.split(ends.encode())[1:-1]
    assert made.split(ends.encode())[1 : 1 + len(rows)] == rows


def test_a_link_to_the_glossary_stays_one_and_its_rights_stay(tmp_path: Path) -> None:
    table, link = tmp_path / "names.tsv", tmp_path / "link.tsv"
    table.write_text("source", encoding="utf-8")
    table.chmod(0o640)
    link.symlink_to(table)
    assert write_term(link, Term(source="Anna")) == "Anna"
    assert link.is_symlink()
    assert table.read_text(encoding="utf-8") == "source\nAnna\n"
    assert table.stat().st_mode & 0o777 == 0o640
    with pytest.raises(BadInput, match="cannot be read"):
        write_term(tmp_path / "none.tsv", Term(source="Anna"))
