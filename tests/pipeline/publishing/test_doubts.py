"""Doubts: each kind is found where it is, once, and the most rewarding come first."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.doubts import Doubt, Subtitles, find_doubts
from shared.documents.cue import Cue, CueSheet
from shared.documents.quality_report import UNSURE_TRANSLATION, Broken, Offender, QualityReport, Severity
from shared.documents.removals import Removal
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript, Word
from shared.text.glossary import Glossary, Term


def transcript(*words: tuple[str, float], speakers: str = "") -> Transcript:
    """Return one segment with a word each 500 ms; `speakers` names that of each word by a letter."""
    said = tuple(
        Word(
            text=text, start_ms=number * 500, end_ms=number * 500 + 400, probability=probability,
            speaker=speakers[number] if speakers else None,
        )
        for number, (text, probability) in enumerate(words)
    )  # fmt: skip
    text = " ".join(text for text, _ in words)
    end_ms = len(said) * 500
    return Transcript(
        language="en", language_probability=1.0, duration_ms=end_ms,
        segments=(Segment(id=0, text=text, start_ms=0, end_ms=end_ms, words=said),),
    )  # fmt: skip


def kinds(doubts: tuple[Doubt, ...]) -> list[tuple[str, str]]:
    return [(doubt.kind, doubt.text) for doubt in doubts]


def test_unsure_words_in_a_row_are_one_doubt_and_one_alone_among_sure_words_is_none() -> None:
    heard = transcript(("the", 0.9), ("ship", 0.4), ("sales", 0.45), ("at", 0.95), ("dawn", 0.45), ("today", 0.9))
    (doubt,) = find_doubts(heard)
    assert (doubt.kind, doubt.text) == ("unsure", "ship sales at dawn")  # one surer word does not end a run
    assert (doubt.start_ms, doubt.end_ms) == (500, 2400)
    assert "0.40" in doubt.why
    assert find_doubts(transcript(("the", 0.9), ("ship", 0.45), ("sails", 0.9), ("at", 0.9))) == ()


def test_a_surer_word_at_the_end_of_a_run_is_no_part_of_it() -> None:
    (doubt,) = find_doubts(transcript(("the", 0.9), ("ship", 0.4), ("sales", 0.45), ("at", 0.5), ("dawn", 0.9)))
    assert (doubt.text, doubt.end_ms) == ("ship sales", 1400)


def test_one_word_that_is_very_unlikely_is_a_doubt() -> None:
    assert kinds(find_doubts(transcript(("the", 0.9), ("ship", 0.1), ("sails", 0.9)))) == [("unsure", "ship")]


def test_an_unsure_name_is_listed_once_with_all_its_times_unless_the_glossary_has_it() -> None:
    heard = transcript(("Then", 0.6), ("Nell", 0.6), ("saw", 0.9), ("Nell,", 0.7), ("said", 0.9), ("Nagg", 0.9))
    (doubt,) = find_doubts(heard)
    assert (doubt.kind, doubt.text, doubt.times_ms) == ("name", "Nell", (500, 1500))
    assert "said 2 times" in doubt.why
    assert find_doubts(heard, glossary=Glossary(terms=(Term(source="Nell Nagg"),))) == ()


def test_a_very_unlikely_name_is_not_listed_a_second_time_as_an_unsure_word() -> None:
    heard = transcript(("saw", 0.9), ("Clov", 0.05), ("there", 0.9))
    assert kinds(find_doubts(heard)) == [("name", "Clov")]


def test_a_first_word_a_pronoun_and_capitals_alone_are_no_names_but_digits_are_a_number() -> None:
    heard = transcript(("Well,", 0.6), ("I", 0.6), ("am", 0.9), ("OK.", 0.6), ("Thanks", 0.6), ("1967", 0.6))
    assert kinds(find_doubts(heard)) == [("number", "1967")]


def sheet(*cues: Cue) -> CueSheet:
    return CueSheet(language="en", cues=cues)


def cue(start_ms: int, end_ms: int, *lines: str) -> Cue:
    return Cue(start_ms=start_ms, end_ms=end_ms, lines=lines, spoken=Region(start_ms=start_ms, end_ms=end_ms))


def test_a_cue_in_which_a_second_speaker_begins_is_a_doubt_unless_dashes_show_it() -> None:
    heard = transcript(("Hello", 0.9), ("there.", 0.9), ("Hi.", 0.9), speakers="AAB")
    (doubt,) = find_doubts(heard, [Subtitles(sheet(cue(0, 1400, "Hello there. Hi.")))])
    assert (doubt.kind, doubt.number, doubt.language) == ("speakers", 1, "en")
    assert doubt.why == "A and B share this cue; the second begins at `Hi.`"
    assert find_doubts(heard, [Subtitles(sheet(cue(0, 1400, "- Hello there.", "- Hi.")))]) == ()
    assert find_doubts(heard, [Subtitles(sheet(cue(0, 900, "Hello there."), cue(1000, 1400, "Hi.")))]) == ()


def report(severity: Severity) -> QualityReport:
    fast = Offender(number=2, start_ms=2000, found=31.5, text="cut off", reason="spoken at 30 places a second")
    broken = Broken(
        rule="reading-speed", severity=severity, meaning="places a second", limit=20, count=1, worst=(fast,)
    )
    return QualityReport(language="en", cues=2, over_limits=1, broken=(broken,))


def test_a_cue_over_a_limit_comes_with_its_whole_text_the_limit_and_the_reason() -> None:
    cues = sheet(cue(2000, 3000, "the whole", "text"), cue(0, 900, "first"), cue(4000, 5000, "last"))
    (doubt,) = find_doubts(None, [Subtitles(cues, report("error"))])
    assert (doubt.start_ms, doubt.end_ms, doubt.text) == (2000, 3000, "the whole / text")
    assert doubt.why == "31.5 places a second, the limit is 20; spoken at 30 places a second"
    assert find_doubts(None, [Subtitles(cues, report("warning"))]) == ()


def test_what_was_taken_out_as_not_said_is_a_doubt_and_what_was_left_out_by_choice_is_none() -> None:
    removed = [
        Removal(start_ms=0, end_ms=900, text="Thanks for watching!", reason="stock-phrase"),
        Removal(start_ms=1000, end_ms=1200, text="um", reason="filler"),
    ]
    assert kinds(find_doubts(None, removals=removed)) == [("removed", "Thanks for watching!")]


_WORDS = st.lists(
    st.tuples(st.sampled_from(["one", "Two", "3", "four.", "Ärger", "五"]), st.floats(0, 1)), min_size=1, max_size=40
)


@given(_WORDS)
def test_the_most_rewarding_come_first_and_no_two_runs_overlap(words: list[tuple[str, float]]) -> None:
    found = find_doubts(transcript(*words))
    assert [one.gain for one in found] == sorted((one.gain for one in found), reverse=True)
    runs = sorted((one.start_ms, one.end_ms) for one in found if one.kind == "unsure")
    assert all(before[1] <= after[0] for before, after in pairwise(runs))
    assert all(one.gain > 0 and one.text for one in found)


@pytest.mark.parametrize("speakers", ["", "A" * 6])
def test_sure_words_of_one_speaker_raise_no_doubt(speakers: str) -> None:
    said = [(word, 0.9) for word in ["Mary", "had", "1", "little", "lamb", "OK"]]
    heard = transcript(*said, speakers=speakers)
    assert find_doubts(heard, [Subtitles(sheet(cue(0, 3000, "Mary had 1 little", "lamb OK")))]) == ()


def test_a_cue_whose_translation_the_model_doubts_is_a_doubt_about_that_cue() -> None:
    cues = tuple(Cue(start_ms=at, end_ms=at + 900, lines=("In the eye", "of the eye.")) for at in (0, 1000))
    offender = Offender(number=2, start_ms=1000, found=1, text="In the eye / of the eye.")
    unsure = Broken(
        rule=UNSURE_TRANSLATION, severity="warning", meaning="unsure", limit=0, count=1, worst=(offender,)
    )  # fmt: skip
    report = QualityReport(language="en", cues=2, over_limits=0, broken=(unsure,))
    (doubt,) = find_doubts(None, [Subtitles(CueSheet(language="en", kind="full", cues=cues), report)])
    assert (doubt.kind, doubt.number, doubt.language, doubt.start_ms) == ("unsure", 2, "en", 1000)
    assert doubt.why == "the translator itself is unsure of this text"
