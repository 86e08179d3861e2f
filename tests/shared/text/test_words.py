"""Languages, times and RTTM: what people write, read and written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.diarization import Diarization, Turn, from_rttm, speaker_label, to_rttm
from shared.text.language import english_name, iso639_2t, language_of_track, parse_language
from shared.text.timecode import clock, span


@pytest.mark.parametrize(
    ("text", "tag", "three"),
    [
        ("en", "en", "eng"),
        ("EN", "en", "eng"),
        ("hin", "hi", "hin"),
        ("ger", "de", "deu"),
        ("deu", "de", "deu"),
        ("pt_BR", "pt-BR", "por"),
        ("zh-Hant", "zh-Hant", "zho"),
        ("jw", "jv", "jav"),
        ("tlh", "tlh", "tlh"),
        ("xx", "xx", "und"),
    ],
)
def test_a_language_is_understood_and_told_to_containers(text: str, tag: str, three: str) -> None:
    assert parse_language(text) == tag
    assert iso639_2t(tag) == three


@pytest.mark.parametrize("text", ["", "e", "english!", "12", "en us"])
def test_what_is_no_language_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a language tag"):
        parse_language(text)
    assert language_of_track(text) is None


def test_a_track_without_a_language_has_none() -> None:
    assert [language_of_track(text) for text in (None, "und", "mul", "eng")] == [None, None, None, "en"]


def test_names_are_for_people() -> None:
    assert [english_name(tag) for tag in ("hi", "pt-BR", "xx")] == ["Hindi", "Portuguese (pt-BR)", "xx"]


def test_times_are_for_people() -> None:
    assert [clock(ms) for ms in (0, 75_250, 3_675_000)] == ["0:00", "1:15", "1:01:15"]
    assert [span(s) for s in (0.44, 9.96, 75, 7440)] == ["0.4s", "10s", "1m15s", "2h04m"]


turns = st.lists(
    st.builds(
        lambda start, length, number: Turn(start_ms=start, end_ms=start + length, speaker=speaker_label(number)),
        st.integers(0, 10**9),
        st.integers(0, 10**7),
        st.integers(0, 30),
    )
)


@given(turns, st.text())
def test_rttm_is_read_back_as_it_was_written(found: list[Turn], name: str) -> None:
    text = to_rttm(found, name)
    assert from_rttm(text) == tuple(found)
    assert all(len(line.split()) == 10 for line in text.splitlines())


def test_a_malformed_rttm_names_the_line() -> None:
    assert from_rttm("LEXEME a b\n\n") == ()
    with pytest.raises(ValueError, match="line 1 of the RTTM has 3 fields"):
        from_rttm("SPEAKER x 1\n")
    with pytest.raises(ValueError, match="no times"):
        from_rttm("SPEAKER x 1 one two <NA> <NA> A <NA> <NA>\n")


def test_speakers_are_numbered_by_first_appearance() -> None:
    diarization = Diarization(turns=tuple(Turn(start_ms=n, end_ms=n + 1, speaker=s) for n, s in enumerate("BABA")))
    assert diarization.speakers == ("B", "A")
