"""The words of a cue are told from sounds, names and songs, and all of it can be written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.toolkit.cues.parts import Part, parts_of, spoken_text, turns_with_texts


@pytest.mark.parametrize(
    ("lines", "said", "kinds"),
    [
        (["Hello there."], "Hello there.", ["speech"]),
        (["I think that we", "should go home."], "I think that we should go home.", ["speech"]),
        (["[door slams]"], "", ["sound"]),
        (["(SIGHS)"], "", ["sound"]),
        (["[door", "slams]"], "", ["sound"]),
        (["*gunshot*"], "", ["sound"]),
        (["[sighs] I know."], "I know.", ["sound", "speech"]),
        (["I know. (laughs)"], "I know.", ["speech", "sound"]),
        (["I saw him (and her) there."], "I saw him (and her) there.", ["speech"]),
        (["JOHN: Hello."], "Hello.", ["speech"]),
        (["MAN #1: Hello."], "Hello.", ["speech"]),
        (["JOHN: [sighs] Hello."], "Hello.", ["sound", "speech"]),
        (["ÉLOÏSE: Bonjour."], "Bonjour.", ["speech"]),
        ([">> JOHN: Hello."], "Hello.", ["speech"]),
        (["Remember: it is late."], "Remember: it is late.", ["speech"]),
        (["It is 10:30 now."], "It is 10:30 now.", ["speech"]),
        (["\u266a Happy birthday \u266a"], "", ["lyrics"]),
        (["# Happy birthday #"], "", ["lyrics"]),
        (["\u266a"], "", ["sound"]),
        (["\u266a \u266a"], "", ["sound"]),
        (["- Who is there?", "- Only me."], "Who is there? Only me.", ["speech", "speech"]),
        (["- Who is", "there?", "- Only me."], "Who is there? Only me.", ["speech", "speech"]),
        (["- Who is there?"], "Who is there?", ["speech"]),
        (["-5 degrees."], "-5 degrees.", ["speech"]),
        (["世界は", "人間である。"], "世界は人間である。", ["speech"]),
        (["（ナレーション）世界は"], "世界は", ["sound", "speech"]),
        ([], "", []),
    ],
)
def test_what_somebody_says_is_told_from_sounds_names_and_songs(lines: list[str], said: str, kinds: list[str]) -> None:
    assert spoken_text(lines) == said
    assert [part.kind for part in parts_of(lines)] == kinds


def test_a_name_and_a_dash_stand_around_the_new_words_too() -> None:
    parts = parts_of(["- JOHN: Hello.", "- [sighs] Go away."])
    assert [part.speaker for part in parts] == ["JOHN", None, None]
    assert turns_with_texts(parts, ["Olá.", "Vai embora."]) == ["- JOHN: Olá.", "- [sighs] Vai embora."]


def test_a_song_keeps_its_notes() -> None:
    assert turns_with_texts(parts_of(["\u266a Happy birthday", "to you \u266a"]), ["Parabéns"]) == [
        "\u266a Parabéns \u266a"
    ]
    assert turns_with_texts(parts_of(["\u266a Happy birthday"]), ["Parabéns"]) == ["\u266a Parabéns"]


@given(st.lists(st.text(alphabet="abcA .,-\u266a#[]()*:>\u2013", max_size=20), max_size=4))
def test_no_letter_of_a_cue_is_lost(lines: list[str]) -> None:
    parts = parts_of(lines)
    again = "".join(turns_with_texts(parts, [part.text for part in parts if part.kind != "sound"]))
    letters = [one for one in "".join(lines) if one.isalpha()]
    assert [one for one in again if one.isalpha()] == letters
    assert all(isinstance(part, Part) and part.text for part in parts)
