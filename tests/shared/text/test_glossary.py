"""The user's own terms: how their table is read, and where they stand in a text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.base import DocumentError
from shared.stage import StageError
from shared.text.glossary import Glossary, Term, glossary_of

TABLE = """\
source;match;hi;pt-BR;target;note
Big Buck Bunny;;;;;the film
popcorn;any-case;पॉपकॉर्न;pipoca;;

"Marta; the one";;;;=;
"""


def read(folder: Path, text: str) -> Glossary:
    path = folder / "glossary.csv"
    path.write_bytes(text.encode())
    return Glossary.read(path)


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_read_with_any_separator(tmp_path: Path, separator: str, mark: str) -> None:
    swapped = TABLE.replace(";", separator).replace(f"Marta{separator} ", "Marta; ")
    bunny, popcorn, marta = read(tmp_path, mark + swapped).terms
    assert bunny == Term(source="Big Buck Bunny", note="the film")
    assert popcorn == Term(source="popcorn", match="any-case", targets={"hi": "पॉपकॉर्न", "pt-BR": "pipoca"})
    assert marta == Term(source="Marta; the one", target="=")


@pytest.mark.parametrize(
    ("term", "language", "rendering"),
    [
        (Term(source="Bunny"), "hi", "Bunny"),
        (Term(source="popcorn", targets={"pt": "pipoca"}), "pt-BR", "pipoca"),
        (Term(source="popcorn", targets={"pt": "pipoca", "pt-BR": "pipoquinha"}), "pt-BR", "pipoquinha"),
        (Term(source="popcorn", targets={"pt": "pipoca"}), "hi", None),
        (Term(source="popcorn", targets={"pt": "="}), "pt", "popcorn"),
        (Term(source="popcorn", target="maíz", targets={"hi": "पॉपकॉर्न"}), "es", "maíz"),
        (Term(source="popcorn", target="=", targets={"hi": "पॉपकॉर्न"}), "hi", "पॉपकॉर्न"),
    ],
)
def test_the_nearest_entry_says_what_a_term_becomes(term: Term, language: str, rendering: str | None) -> None:
    assert term.rendering(language) == rendering


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        (Term(source="Ana"), "Ana, Anabela and Ana's Ana", ["Ana", "Ana", "Ana"]),
        (Term(source="Ana"), "ANA", []),
        (Term(source="ana", match="any-case"), "ANA", ["ANA"]),
        (Term(source="corn", match="part"), "popcorn", ["corn"]),
        (Term(source="Big Buck"), "Big\n Buck.", ["Big\n Buck"]),
        (Term(source="राम"), "राम और रामी", ["राम"]),
        (Term(source="東京"), "私は東京に行く", ["東京"]),
        (Term(source="AI"), "このAI技術、AIR", ["AI"]),
        (Term(source="Zoe\u0301"), "Zo\u00e9!", ["Zo\u00e9"]),
        (Term(source="Zoe"), "Zoe\u0301", []),
        (Term(source="\uf900"), "\uf900", ["\uf900"]),  # its normal forms are another character
        (Term(source="C++"), "in C++.", ["C++"]),
    ],
)
def test_a_term_is_found_as_a_whole_word(term: Term, text: str, found: list[str]) -> None:
    assert [text[hit.start : hit.end] for hit in Glossary(terms=(term,)).find(text)] == found


def test_of_terms_that_overlap_the_longest_counts() -> None:
    glossary = Glossary(terms=(Term(source="Buck"), Term(source="Big Buck Bunny"), Term(source="Bunny")))
    text = "Big Buck Bunny saw Buck"
    assert [hit.term.source for hit in glossary.find(text)] == ["Big Buck Bunny", "Buck"]


def test_what_was_said_is_compared_with_what_is_written() -> None:
    terms = (
        Term(source="popcorn", targets={"pt": "pipoca"}),
        Term(source="Buck"),
        Term(source="corn", target="pipoca"),
    )
    counts = Glossary(terms=terms).kept("popcorn and popcorn, Buck, corn", "pipoca e Buck e Buckminster", "pt")
    assert counts == {"popcorn": (2, 1), "Buck": (1, 1), "corn": (1, 0)}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "expected a header with a column `source`"),
        ("popcorn\tpipoca\n", "`popcorn` is neither source, match, target, note nor a language"),
        ("source\thi\thi\nx\n", "the column `hi` appears twice"),
        ("source\tmatch\npopcorn\tstem\n", "line 2 has the match `stem`, expected one of word, any-case, part"),
        ("source\thi\n\tपॉपकॉर्न\n", "line 2 has no `source`"),
        ("source\thi\nx\ty\tz\n", "line 2 holds `z` in a column without a name"),
        ("source\nx\ny\nx\n", "lines 2 and 4 both define `x`"),
        ('source\n"x\n', "unexpected end of data"),
    ],
)
def test_a_table_that_is_none_is_refused_with_the_place(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        read(tmp_path, table)
    assert said in str(refusal.value)
    assert "glossary.csv" in str(refusal.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "glossary.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(DocumentError, match="expected text in UTF-8"):
        Glossary.read(tmp_path / "glossary.xlsx")


cells = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).map(
    lambda text: " ".join(text.split())
)
terms = st.builds(
    Term,
    source=cells.filter(bool),
    target=st.none() | cells.filter(bool),
    targets=st.dictionaries(st.sampled_from(["hi", "pt-BR", "zh-Hant"]), cells.filter(bool)),
    match=st.sampled_from(["word", "any-case", "part"]),
    note=cells,
)
glossaries = st.lists(terms, unique_by=lambda term: term.source).map(lambda found: Glossary(terms=tuple(found)))


@given(glossaries)
def test_a_written_table_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, glossary: Glossary) -> None:
    path = glossary.write(tmp_path_factory.getbasetemp() / "written.tsv")
    assert Glossary.read(path) == glossary


@given(glossaries, st.data())
def test_what_is_found_stands_there_in_order_and_apart(glossary: Glossary, data: st.DataObject) -> None:
    sources = [term.source for term in glossary.terms]
    parts = st.one_of(st.sampled_from(sources), st.text(max_size=3)) if sources else st.text(max_size=3)
    text = "".join(data.draw(st.lists(parts, max_size=12)))
    end = 0
    for hit in glossary.find(text):
        assert end <= hit.start < hit.end
        end = hit.end


@given(glossaries.filter(lambda glossary: bool(glossary.terms)))
def test_a_text_that_is_a_term_is_found_whole(glossary: Glossary) -> None:
    source = glossary.terms[0].source
    assert [(hit.start, hit.end) for hit in glossary.find(source)][:1] == [(0, len(source))]


def test_terms_with_words_for_single_languages_are_counted() -> None:
    glossary = Glossary(terms=(Term(source="chairs", targets={"de": "Sessel"}), Term(source="film")))
    counts = glossary.kept("The chairs and the film, the chairs.", "Die Sessel und der Film, die Stühle.", "de")
    assert counts == {"chairs": (2, 1), "film": (1, 0)}


def test_a_job_may_have_no_table_and_one_that_it_has_must_be_right(tmp_path: Path) -> None:
    assert glossary_of(None) == Glossary()
    read(tmp_path, TABLE)
    assert len(glossary_of(tmp_path / "glossary.csv").terms) == 3
    (tmp_path / "glossary.csv").write_text("colour\nred\n", encoding="utf-8")
    with pytest.raises(StageError) as caught:
        glossary_of(tmp_path / "glossary.csv")
    assert caught.value.code == "glossary.invalid"
