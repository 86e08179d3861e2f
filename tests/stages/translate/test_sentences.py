"""Segments into sentences and back: nothing is lost, nothing changes places, and nobody speaks for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.transcript import Segment
from stages.translate.sentences import Part, sentences_of, split_back
from tests.joining import joining

PAUSE_MS = 400


def said(*texts: str, speakers: str = "", pauses: tuple[int, ...] = ()) -> list[Segment]:
    segments, start = [], 0
    for index, text in enumerate(texts):
        speaker = speakers[index] if speakers else None
        segments.append(Segment(id=index, text=text, start_ms=start, end_ms=start + 2_000, speaker=speaker))
        start += 2_000 + (pauses[index] if pauses else PAUSE_MS)
    return segments


def texts_of(segments: list[Segment], language: str = "en") -> list[str]:
    return [sentence.text for sentence in sentences_of(segments, joining(language))]


def test_a_sentence_over_three_segments_is_one() -> None:
    made = sentences_of(
        said("Tonight we watch", "a film about a rabbit", "who is big. And then we", "go home."), joining("en")
    )
    assert [sentence.text for sentence in made] == [
        "Tonight we watch a film about a rabbit who is big.", "And then we go home.",
    ]  # fmt: skip
    assert [[part.segment for part in sentence.parts] for sentence in made] == [[0, 1, 2], [2, 3]]


def read(segments: list[Segment], sung: str = "") -> list[Segment]:
    """Return segments as they come from an existing subtitle; `sung` has a letter for each."""
    return [
        one.model_copy(update={"origin": "read", "sung": sung[number : number + 1] == "s"})
        for number, one in enumerate(segments)
    ]


def test_a_person_ends_sentences_so_that_one_alone_is_joined_and_a_song_is_apart() -> None:
    assert texts_of(read(said("The next day", "we went home."))) == ["The next day we went home."]
    assert texts_of(read(said("The next day", "we went home"))) == ["The next day", "we went home"]
    assert texts_of(read(said("Happy birthday", "The next day", "we went home."), "s--")) == [
        "Happy birthday", "The next day we went home.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("segments", "texts"),
    [
        (said("I think", "you are. Right."), ["I think you are.", "Right."]),
        (said("I think", "you are. Right.", speakers="AB"), ["I think", "you are.", "Right."]),
        (said("I think", "you are. Right.", pauses=(5_000, 0)), ["I think", "you are.", "Right."]),
        (said("and so it goes", "nobody ends", "a sentence"), ["and so it goes", "nobody ends", "a sentence"]),
        (said("This is Dr.", "Brown. Hello."), ["This is Dr. Brown.", "Hello."]),
        (said("今日は", "映画を見ます。はい。"), ["今日は映画を見ます。", "はい。"]),
        (said("", "Hello.", "  ", "Bye."), ["Hello.", "Bye."]),
    ],
)
def test_sentences_end_where_the_text_the_speaker_or_a_pause_says(segments: list[Segment], texts: list[str]) -> None:
    assert texts_of(segments) == texts


def test_without_joining_no_sentence_leaves_its_segment() -> None:
    made = sentences_of(said("Tonight we watch", "a film. Good."), joining("en"), join=False)
    assert [sentence.text for sentence in made] == ["Tonight we watch", "a film.", "Good."]


def test_a_translation_is_cut_where_a_line_could_end_near_each_share() -> None:
    parts = [Part(0, "Tonight we will watch a film"), Part(1, "about a rabbit who is very big.")]
    text = "Esta noite nós assistimos a um filme sobre um coelho que é muito grande."
    assert split_back(text, parts, joining("pt")) == [
        "Esta noite nós assistimos a um filme", "sobre um coelho que é muito grande.",
    ]  # fmt: skip


def test_a_term_is_never_cut() -> None:
    parts = [Part(0, "aaaa"), Part(1, "bbbb")]
    assert split_back("we saw Big Buck Bunny", parts, joining("en"), ["Big Buck Bunny"]) == ["we saw", "Big Buck Bunny"]


def test_a_translation_with_fewer_words_than_parts_cannot_be_shared_out() -> None:
    assert split_back("Sim.", [Part(0, "yes, I"), Part(1, "do.")], joining("pt")) is None


words = st.text("abcdé .,!?।。", max_size=40) | st.sampled_from(
    ["I know.", "and then", "हाँ, मैं जानता हूँ।", "映画を見ます", "x" * 300, "so many words " * 30, "Mr.", "..."]
)
transcripts = st.lists(st.tuples(words, st.sampled_from("AB"), st.integers(0, 3_000)), max_size=12).map(
    lambda rows: said(
        *(text for text, _, _ in rows),
        speakers="".join(speaker for _, speaker, _ in rows),
        pauses=tuple(pause for _, _, pause in rows),
    )
)


@given(transcripts, st.sampled_from(["en", "hi", "ja", "tr"]), st.booleans())
def test_every_word_is_in_one_sentence_in_its_order(segments: list[Segment], language: str, join: bool) -> None:
    parts = [part for sentence in sentences_of(segments, joining(language), join=join) for part in sentence.parts]
    assert [part.segment for part in parts] == sorted(part.segment for part in parts)
    for index, segment in enumerate(segments):
        own = "".join(part.text for part in parts if part.segment == index)
        assert "".join(own.split()) == "".join(segment.text.split())


@given(transcripts)
def test_no_sentence_has_two_speakers_or_is_longer_than_models_take(segments: list[Segment]) -> None:
    for sentence in sentences_of(segments, joining("en")):
        assert len({segments[part.segment].speaker for part in sentence.parts}) == 1
        assert len(sentence.text) <= 240 or " " not in sentence.text


@given(words, st.lists(words.filter(lambda text: bool(text.strip())), min_size=1, max_size=6), st.data())
def test_every_part_gets_some_and_nothing_is_lost(text: str, parts: list[str], data: st.DataObject) -> None:
    tokens = text.split()
    whole = [" ".join(tokens[: data.draw(st.integers(0, len(tokens)))])] if tokens else []
    shares = split_back(text, [Part(number, part) for number, part in enumerate(parts)], joining("en"), whole)
    if shares is None:
        assert len(parts) > 1
        return
    assert len(shares) == len(parts)
    assert len(parts) == 1 or all(shares)
    assert "".join("".join(shares).split()) == "".join(tokens)
    if whole and whole[0]:
        assert any(whole[0] in share for share in shares) or len(parts) == 1
