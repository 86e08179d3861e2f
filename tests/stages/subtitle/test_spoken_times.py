"""Translated cues keep the speaker's time: sentences begin and end with what they translate, and pauses stay."""

from __future__ import annotations

from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue
from shared.documents.transcript import Segment, Transcript, Word
from shared.documents.translation import TranslatedSegment, Translation
from shared.text.guide_limits import GuideParams
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.spoken_times import time_translation
from stages.subtitle.stage import LayoutOptions
from tests.conftest import examples
from tests.joining import joining
from tests.stages.subtitle.test_stage import talk, transcripts

LIMITS = GuideParams(reading_speed=17.0).limits("pt", 25.0)


def segment(number: int, *words: Word, speaker: str | None = None) -> Segment:
    return Segment(
        id=number, text=" ".join(word.text for word in words), start_ms=words[0].start_ms, end_ms=words[-1].end_ms,
        words=words, speaker=speaker,
    )  # fmt: skip


def film(*segments: Segment) -> Transcript:
    return Transcript(language="en", language_probability=1.0, duration_ms=90_000, segments=segments)


def into(*texts: str) -> Translation:
    told = tuple(TranslatedSegment(id=number, text=text) for number, text in enumerate(texts))
    return Translation(source="en", target="pt", segments=told)


def shown(transcript: Transcript, *texts: str) -> tuple[Cue, ...]:
    return LayoutEngine().lay_out(transcript, into(*texts), LIMITS, LayoutOptions(joining=joining("pt"))).cues


@st.composite
def speeches(draw: st.DrawFn) -> tuple[list[list[Word]], list[str]]:
    """Return spoken sentences with pauses between them, and a translation of each by another number of words."""
    said, told, at_ms = [], [], 0
    for _ in range(draw(st.integers(1, 8))):
        words = ["talk"] * draw(st.integers(1, 9))
        said.append(talk(f"{' '.join(words)}.", start_ms=at_ms))
        told.append(f"{' '.join(['palavra'] * draw(st.integers(1, 7)))}.")
        at_ms = said[-1][-1].end_ms + draw(st.sampled_from([0, 80, 600, 1500, 5000]))
    return said, told


@examples(0.6)
@given(speeches(), st.data())
def test_a_translated_sentence_begins_and_ends_with_the_one_that_was_spoken(
    speech: tuple[list[list[Word]], list[str]], data: st.DataObject
) -> None:
    said, told = speech
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1)))) if len(said) > 1 else []
    edges = [0, *cuts, len(said)]
    segments = [segment(number, *chain(*said[one:other])) for number, (one, other) in enumerate(pairwise(edges))]
    texts = [" ".join(told[one:other]) for one, other in pairwise(edges)]
    pieces = list(time_translation(film(*segments), into(*texts), joining("pt")))
    assert " ".join(piece.text for piece in pieces) == " ".join(told)
    at = 0
    for sentence, text in zip(said, told, strict=True):
        own = pieces[at : at + len(text.split())]
        assert (own[0].start_ms, own[-1].end_ms) == (sentence[0].start_ms, sentence[-1].end_ms)
        at += len(own)


@examples(1)
@given(
    transcripts(), st.lists(st.sampled_from(["Sim.", "Não é", "longe daqui, sim.", "", "Uma. Duas. Três."]), min_size=6)
)
def test_any_translation_keeps_all_its_words_in_order_of_time(transcript: Transcript, texts: list[str]) -> None:
    pieces = list(time_translation(transcript, into(*texts[: len(transcript.segments)]), joining("pt")))
    assert " ".join(piece.text for piece in pieces).split() == " ".join(texts[: len(transcript.segments)]).split()
    assert all(one.start_ms <= one.end_ms for one in pieces)


def test_a_sentence_that_goes_over_two_segments_keeps_its_beginning_and_its_end() -> None:
    first = talk("Try again. Fail")
    second = talk("again. Fail better.", start_ms=first[-1].end_ms + 200)
    pieces = list(
        time_translation(
            film(segment(0, *first), segment(1, *second)),
            into("Tente outra vez. Falhe de", "novo. Falhe melhor."),
            joining("pt"),
        )
    )
    starts = {piece.text: piece.start_ms for piece in reversed(pieces)}
    assert starts["Tente"] == 0
    assert pieces[3].start_ms == first[2].start_ms
    assert pieces[6].start_ms == second[1].start_ms


def test_pauses_inside_a_sentence_stay_where_they_were() -> None:
    words = [*talk("It was the spring of hope,"), *talk("it was the winter of despair.", start_ms=6000)]
    pieces = list(
        time_translation(
            film(segment(0, *words)), into("Era a primavera da esperança, era o inverno do desespero."), joining("pt")
        )
    )
    assert [piece.start_ms for piece in pieces if piece.text == "era"] == [6000]
    assert pieces[4].end_ms == words[5].end_ms


def test_where_a_translator_joins_two_sentences_only_those_share_their_time() -> None:
    words = [*talk("We stayed at home for the whole evening."), *talk("He left.", start_ms=5000)]
    words += [*talk("I know.", start_ms=8000), *talk("Then the rain began to fall on the old roof.", start_ms=11_000)]
    text = "Ficámos em casa durante toda a noite. Ele partiu, eu sei. Depois a chuva começou a cair no velho telhado."
    pieces = list(time_translation(film(segment(0, *words)), into(text), joining("pt")))
    starts = {piece.text: piece.start_ms for piece in pieces}
    assert (starts["Ficámos"], starts["Ele"], starts["eu"], starts["Depois"]) == (0, 5000, 8000, 11_000)


def test_two_speakers_share_a_translated_cue_only_with_dashes() -> None:
    words = [*talk("Ready now?", speaker="A"), *talk("Yes, I am.", speaker="B", start_ms=1000)]
    cues = shown(film(segment(0, *words, speaker="A")), "Está pronta? Sim, estou.")
    assert [(cue.speaker, *cue.lines) for cue in cues] == [("A", "Está pronta?"), ("B", "Sim, estou.")]
    quick = [*talk("Ready?", speaker="A"), *talk("Yes.", speaker="B", start_ms=500), *talk("Go on.", start_ms=950)]
    assert shown(film(segment(0, *quick, speaker="A")), "Pronta? Sim. Vá.")[0].lines == ("-Pronta?", "-Sim.")


def test_two_speakers_in_one_sentence_have_their_own_words_of_the_translation() -> None:
    words = [*talk("And this is", speaker="A"), *talk("my house here", speaker="B", start_ms=1500)]
    pieces = list(
        time_translation(film(segment(0, *words, speaker="A")), into("E esta é a minha casa aqui"), joining("pt"))
    )
    assert [piece.speaker for piece in pieces] == ["A"] * 4 + ["B"] * 3
