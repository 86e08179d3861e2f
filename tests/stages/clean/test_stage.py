"""Stage `clean` removes text that was not spoken, and nothing without evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan.language_tables import load_languages
from shared.documents.removals import Removal, Removals
from shared.documents.sound import Sound, SoundKind, Sounds
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Job
from stages.clean.evidence import Cleaner
from stages.clean.stage import Cleaned, CleanInputs, CleanParams, Evidence, Rules, run
from tests.conftest import ROOT, examples
from tests.fakes.listener import Audience

END_MS = 60_000
WANTED = Rules(hallucinations=True, stock_phrases=("Thanks for watching", "Bye-bye"), fillers=())


def said(text: str, start_ms: int, end_ms: int, *, sure: float = 0.9, no_speech: float = 0.1) -> Segment:
    parts = text.split()
    length = (end_ms - start_ms) // max(len(parts), 1)
    words = tuple(
        Word(text=part, start_ms=start_ms + length * at, end_ms=start_ms + length * (at + 1), probability=sure)
        for at, part in enumerate(parts)
    )
    return Segment(
        id=0, text=text, start_ms=start_ms, end_ms=end_ms, words=words, no_speech_probability=no_speech
    )  # fmt: skip


def sounds(*parts: tuple[SoundKind, int, int]) -> Evidence:
    found = tuple(Sound(kind=kind, start_ms=start, end_ms=end) for kind, start, end in parts)
    return Evidence(speech=None, sounds=Sounds(duration_ms=END_MS, sounds=found))


SPEECH = sounds(("speech", 0, END_MS))
MUSIC = sounds(("music", 0, END_MS))
NOTHING = Evidence(speech=None, sounds=None)


def cleaned(*segments: Segment, evidence: Evidence, rules: Rules = WANTED) -> Cleaned:
    numbered = tuple(segment.model_copy(update={"id": number}) for number, segment in enumerate(segments))
    transcript = Transcript(language="en", language_probability=1.0, duration_ms=END_MS, segments=numbered)
    return Cleaner().clean(transcript, evidence, rules)


def left(*segments: Segment, evidence: Evidence, rules: Rules = WANTED) -> list[str]:
    return [segment.text for segment in cleaned(*segments, evidence=evidence, rules=rules).transcript.segments]


def reasons(*segments: Segment, evidence: Evidence) -> list[str]:
    return [removal.reason for removal in cleaned(*segments, evidence=evidence).removals]


@pytest.mark.parametrize("evidence", [SPEECH, NOTHING])
def test_thanks_that_somebody_says_stay(evidence: Evidence) -> None:
    assert left(said("Thanks for watching!", 0, 2_000), evidence=evidence) == ["Thanks for watching!"]


def test_thanks_on_music_go_and_the_numbers_say_why() -> None:
    removal = cleaned(said("Thanks for watching.", 0, 2_000), evidence=MUSIC).removals[0]
    assert (removal.reason, removal.text) == ("stock-phrase", "Thanks for watching.")
    assert removal.evidence == {
        "no_speech_probability": 0.1, "log_probability": 0.0, "word_probability": 0.9, "speech": 0.0, "singing": 0.0,
        "music": 1.0,
    }  # fmt: skip


def test_text_where_nobody_speaks_goes_only_where_the_decoder_doubts_it_too() -> None:
    assert reasons(said("The ship is here.", 0, 2_000, sure=0.3), evidence=MUSIC) == ["unheard"]
    assert reasons(said("The ship is here.", 0, 2_000, no_speech=0.8), evidence=MUSIC) == ["unheard"]
    assert reasons(said("The ship is here.", 0, 2_000), evidence=MUSIC) == []
    assert reasons(said("The ship is here.", 0, 2_000, sure=0.1, no_speech=0.9), evidence=SPEECH) == []


def test_text_that_the_decoder_doubts_in_every_way_goes() -> None:
    laughter = said("I'm sorry, I'm sorry.", 0, 600, no_speech=0.58)
    assert reasons(laughter.model_copy(update={"average_log_probability": -1.24}), evidence=SPEECH) == ["doubted"]
    noisy = said("He might have been made still more", 0, 3_000, no_speech=0.22)
    assert reasons(noisy.model_copy(update={"average_log_probability": -1.3}), evidence=SPEECH) == []
    assert reasons(laughter.model_copy(update={"average_log_probability": -0.5}), evidence=SPEECH) == []


def decoded(text: str, length_ms: int, no_speech: float, log_probability: float, sure: float) -> Segment:
    segment = said(text, 5_000, 5_000 + length_ms, sure=sure, no_speech=no_speech)
    return segment.model_copy(update={"average_log_probability": log_probability})


@pytest.mark.parametrize(
    "invented",
    [
        decoded("know what you're talking about.", 440, 0.672, -0.978, 0.42),
        decoded("I don't know what you're talking about.", 400, 0.672, -0.978, 0.67),
        decoded("AHHHHHHHHHHHHHHHHHHHHH", 760, 0.46, -1.39, 0.34),
        decoded("Oh", 440, 0.52, -0.95, 0.01),
        decoded("going to have to do it.", 352, 0.55, -1.78, 0.28),
    ],
    ids=lambda segment: segment.text,
)
def test_what_a_decoder_made_of_laughter_goes(invented: Segment) -> None:
    assert reasons(invented, evidence=SPEECH) == ["doubted"]


@pytest.mark.parametrize(
    ("text", "length_ms", "fast"),
    [
        ("I don't know what you're talking about.", 400, True),
        ("I don't know what you're talking about.", 1_000, False),
        ("你在说什么我完全不明白", 400, True),
        ("你在说什么我完全不明白", 1_000, False),
        ("무슨 말씀을 하시는지 모르겠어요", 400, True),
        ("무슨 말씀을 하시는지 모르겠어요", 1_500, False),
        ("No.", 1, False),  # of a short word the times are too rough
    ],
)
def test_more_than_a_mouth_can_say_goes_where_the_decoder_has_its_doubts(text: str, length_ms: int, fast: bool) -> None:
    for no_speech, log_probability, sure in ((0.45, -0.1, 0.9), (0.1, -0.75, 0.9), (0.1, -0.1, 0.45)):
        segment = decoded(text, length_ms, no_speech, log_probability, sure)
        done = cleaned(segment, evidence=SPEECH)
        assert [removal.reason for removal in done.removals] == ["too-fast"] * fast
        assert all(removal.evidence["letters_per_second"] > 45 for removal in done.removals)
    assert left(decoded(text, length_ms, 0.1, -0.1, 0.9), evidence=SPEECH) == [text]


@pytest.mark.parametrize(
    "spoken",
    [  # played 2.6 times as fast as it was said
        decoded("Then let us turn off the lights and begin.", 820, 0.49, -0.26, 0.93),
        decoded("And my sandwich cousin cannot read English.", 900, 0.49, -0.26, 0.74),
        decoded("He might even have been eating a bomb self.", 1_120, 0.08, -0.70, 0.62),
    ],
    ids=lambda segment: segment.text,
)
def test_speech_faster_than_anybody_talks_stays(spoken: Segment) -> None:
    assert left(spoken, evidence=SPEECH) == [spoken.text]


def test_times_that_nobody_measured_say_nothing_of_how_fast_a_text_was_said() -> None:
    segment = decoded("I don't know what you're talking about.", 400, 0.1, -0.9, 0.9)
    interpolated = tuple(word.model_copy(update={"interpolated": True}) for word in segment.words)
    assert reasons(segment, evidence=SPEECH) == ["too-fast"]
    assert reasons(segment.model_copy(update={"words": interpolated}), evidence=SPEECH) == []
    window = Region(start_ms=0, end_ms=30_000)
    assert reasons(segment.model_copy(update={"window": window}), evidence=SPEECH) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ormandi" + "lil" * 24, ["repetitive"]), ("ごご" * 16, ["repetitive"]), ("Ha" + "ha" * 6 + "!", []),
     ("Nooooooooooooo!", []), ("I saw him and said ha" + "ha" * 11 + " because it was so very funny to me.", []),
     ("Ja, ja, ja, ja, ja, ja, ja, ja, ja, ja, ja.", []), ("0" * 30, [])],
)  # fmt: skip
def test_a_word_that_is_the_same_letters_over_and_over_was_not_said(text: str, expected: list[str]) -> None:
    assert reasons(said(text, 0, 3_000), evidence=SPEECH) == expected
    assert reasons(said(text, 0, 3_000), evidence=sounds(("singing", 0, 3_000))) == [], "a singer may"


def test_a_sentence_that_comes_again_and_again_stays_once() -> None:
    segments = [said("I'll be right back.", 2_000 * at, 2_000 * at + 1_500) for at in range(6)]
    done = cleaned(*segments, evidence=SPEECH)
    assert len(done.transcript.segments) == 1
    assert [removal.reason for removal in done.removals] == ["loop"] * 5
    assert {removal.evidence["times"] for removal in done.removals} == {6}


def test_what_people_do_repeat_stays() -> None:
    shouts = [said("No!", 1_000 * at, 1_000 * at + 600) for at in range(8)]
    chorus = [said("Row, row, row your boat.", 2_000 * at, 2_000 * at + 1_500) for at in range(5)]
    assert left(*shouts, evidence=SPEECH) == ["No!"] * 8
    assert len(left(*chorus, evidence=sounds(("singing", 0, 20_000), ("music", 0, 20_000)))) == 5
    assert len(left(*shouts, evidence=MUSIC)) == 1


def test_another_script_goes_where_the_decoder_doubts_its_words() -> None:
    english = [said("This is what all of them say.", 4_000 * at, 4_000 * at + 3_000) for at in (0, 2, 4)]
    assert reasons(*english, said("Спасибо", 20_000, 21_000, sure=0.3), evidence=SPEECH) == ["other-script"]
    assert reasons(*english, said("Спасибо", 20_000, 21_000), evidence=SPEECH) == []
    assert reasons(said("नमस्ते", 0, 900, sure=0.3), said("Hello", 1_000, 2_000, sure=0.3), evidence=SPEECH) == []


def test_what_is_heard_rather_than_said_becomes_a_label() -> None:
    done = cleaned(said("[door slams]", 1_000, 2_000), said("\u266a\u266a", 3_000, 4_000), said("Who?", 5_000, 6_000),
                   evidence=SPEECH)  # fmt: skip
    assert [segment.text for segment in done.transcript.segments] == ["Who?"]
    assert [removal.reason for removal in done.removals] == ["description"] * 2
    assert [(label.heard, label.text) for label in done.labels] == [("described", "door slams")]


def test_music_between_words_is_told_of_and_music_under_them_is_not() -> None:
    evidence = sounds(("music", 0, 20_000), ("speech", 10_000, 14_000))
    done = cleaned(said("Over the music.", 10_000, 14_000), evidence=evidence)
    assert [(label.start_ms, label.end_ms) for label in done.labels] == [(0, 10_000), (14_000, 20_000)]


def test_a_song_is_marked() -> None:
    evidence = sounds(("singing", 0, 5_000), ("music", 0, 20_000), ("speech", 8_000, 12_000))
    segments = cleaned(said("Daisy, Daisy", 0, 4_000), said("She sings.", 8_000, 9_000), evidence=evidence)
    assert [segment.sung for segment in segments.transcript.segments] == [True, False]


def test_a_line_between_two_sung_ones_need_not_be_sung_so_clearly() -> None:
    evidence = sounds(("singing", 0, 6_000), ("singing", 9_000, 20_000), ("speech", 5_000, 10_000))
    lines = [said("La la la la", start, start + 4_000) for start in (0, 5_000, 10_000)]
    assert [segment.sung for segment in cleaned(*lines, evidence=evidence).transcript.segments] == [True, True, True]
    assert [segment.sung for segment in cleaned(*lines[:2], evidence=evidence).transcript.segments] == [True, False]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Um, I think so.", "I think so."), ("I, uh, think so.", "I think so."), ("I think so, um.", "I think so."),
        ("Uh, um, what?", "What?"), ("Umbrellas er help.", "Umbrellas help."), ("Um.", None),
    ],
)  # fmt: skip
def test_fillers_go_by_choice_and_leave_a_sentence(before: str, after: str | None) -> None:
    rules = Rules(hallucinations=True, stock_phrases=(), fillers=("um", "uh", "er"))
    assert left(said(before, 0, 3_000), evidence=SPEECH, rules=rules) == ([after] if after else [])
    assert left(said(before, 0, 3_000), evidence=SPEECH) == [before]


_WORDS = st.sampled_from(["I", "um", "thanks", "for", "watching", "bye-bye", "नमस्ते", "[music]", "no", "\u266a"])


@examples(2)
@given(st.lists(st.tuples(st.lists(_WORDS, min_size=1, max_size=4), st.floats(0, 1)), max_size=12))
def test_without_evidence_from_sound_or_repetition_nobodys_words_go(texts: list[tuple[list[str], float]]) -> None:
    segments = [
        said(" ".join(words), 2_000 * at, 2_000 * at + 1_500, sure=max(sure, 0.5))
        for at, (words, sure) in enumerate(texts)
    ]
    done = cleaned(*segments, evidence=SPEECH)
    assert {removal.reason for removal in done.removals} <= {"description", "loop"}
    assert len(done.transcript.segments) + len(done.removals) == len(segments)
    assert [segment.id for segment in done.transcript.segments] == list(range(len(done.transcript.segments)))


def a_job(
    folder: Path, transcript: Transcript, left_out: tuple[Removal, ...] = (), **params: object
) -> Job[CleanInputs, CleanParams]:
    regions = SpeechRegions(duration_ms=END_MS, regions=(Region(start_ms=0, end_ms=END_MS),))
    inputs = CleanInputs(
        transcript=transcript.write(folder / "transcript.json"), speech=regions.write(folder / "speech.json"),
        sounds=Sounds(duration_ms=END_MS, sounds=()).write(folder / "sounds.json"),
        left_out=Removals(removals=left_out).write(folder / "left-out.json"),
    )  # fmt: skip
    (folder / "out").mkdir()
    languages = load_languages(ROOT / "config" / "languages")
    tables = {name: languages[name] for name in ("stock_phrases", "filler_words")}
    return Job(inputs, CleanParams.model_validate({**tables, **params}), folder / "out", "evidence", Audience())


def test_a_transcript_of_nothing_but_inventions_becomes_an_empty_one_in_no_language(tmp_path: Path) -> None:
    segments = (said("Thank you for watching!", 0, 2_000), said("Bye.", 3_000, 4_000))
    before = Transcript(language="en", language_probability=0.4, duration_ms=END_MS, segments=segments)
    job = a_job(tmp_path, before)
    outputs = run(Cleaner(), job)
    after = Transcript.read(outputs.transcript)
    assert (after.segments, after.language) == ((), "und")
    assert outputs.text.read_text(encoding="utf-8") == ""
    assert [one.text for one in Removals.read(outputs.removed).removals] == ["Thank you for watching!", "Bye."]
    assert job.facts["removed"] == job.facts["removed_stock_phrase"] == 2
    assert isinstance(job.listener, Audience)
    told = "removed text that was not said (2 stock-phrase): 'Thank you for watching!' at 0:00"
    assert told in job.listener.warnings[0]


def test_everything_stays_where_that_is_wanted(tmp_path: Path) -> None:
    segments = (said("Thank you for watching!", 0, 2_000),)
    before = Transcript(language="en", language_probability=0.4, duration_ms=END_MS, segments=segments)
    outputs = run(Cleaner(), a_job(tmp_path, before, hallucinations="keep"))
    assert Transcript.read(outputs.transcript) == before


def test_what_the_recogniser_left_out_itself_is_listed_with_the_rest_and_not_told_of_twice(tmp_path: Path) -> None:
    segments = (said("Thank you for watching!", 0, 2_000),)
    before = Transcript(language="en", language_probability=1, duration_ms=END_MS, segments=segments)
    silent = Removal(start_ms=2_500, end_ms=2_900, text="You", reason="no-speech", evidence={"word_probability": 0.08})
    job = a_job(tmp_path, before, (silent,))
    removed = Removals.read(run(Cleaner(), job).removed).removals
    assert [one.reason for one in removed] == ["stock-phrase", "no-speech"]
    assert removed[1] == silent
    assert isinstance(job.listener, Audience)
    assert len(job.listener.warnings) == 1


def notes_on(folder: Path, *segments: Segment, language: str = "en", evidence: Evidence = NOTHING) -> list[str]:
    transcript = Transcript(language=language, language_probability=0.9, duration_ms=END_MS, segments=segments)
    inputs = CleanInputs(
        transcript=transcript.write(folder / "transcript.json"),
        speech=evidence.speech.write(folder / "speech.json") if evidence.speech else None,
        sounds=evidence.sounds.write(folder / "sounds.json") if evidence.sounds else None,
    )
    listener = Audience()
    run(Cleaner(), Job(inputs, CleanParams(), folder, "evidence", listener))
    return listener.warnings


def in_regions(*spans: tuple[int, int], evidence: Evidence = NOTHING) -> Evidence:
    found = tuple(Region(start_ms=start, end_ms=end) for start, end in spans)
    return Evidence(speech=SpeechRegions(duration_ms=END_MS, regions=found), sounds=evidence.sounds)


def test_speech_without_text_is_told_with_its_times(tmp_path: Path) -> None:
    evidence = in_regions((0, 9_000), (20_000, 31_000), (40_000, 41_500))
    assert notes_on(tmp_path, said("The ship is here.", 0, 8_500), evidence=evidence) == [
        "11 s of what sounds like speech have no text: 0:20 to 0:31"
    ]


def test_speech_whose_text_was_removed_is_told_too(tmp_path: Path) -> None:
    doubted = said("I know what you mean.", 0, 8_500, no_speech=0.9, sure=0.2)
    told = notes_on(
        tmp_path, doubted.model_copy(update={"average_log_probability": -1.5}), evidence=in_regions((0, 9_000))
    )
    assert told[1:] == ["9 s of what sounds like speech have no text: 0:00 to 0:09"]


def test_what_no_analysis_hears_a_voice_in_is_not_told(tmp_path: Path) -> None:
    assert notes_on(tmp_path, evidence=in_regions((0, 9_000), evidence=MUSIC)) == []
    assert len(notes_on(tmp_path, evidence=in_regions((0, 9_000), evidence=SPEECH))) == 1


@pytest.mark.parametrize(
    ("language", "text", "told"),
    [
        ("hi", "اونٹ کے منہ میں زیرہ", "100% of the text in 'hi' is written in Arabic letters instead of Devanagari"),
        ("hi", "Namaste duniya", "100% of the text in 'hi' is written in Latin letters instead of Devanagari"),
        ("en", "Привет, мир", "100% of the text in 'en' is written in Cyrillic letters instead of Latin"),
        ("hi", "नमस्ते iPhone की दुनिया में आपका स्वागत", None),
        ("hi", "OK 123", None),
        ("sr", "Добро јутро", None),
        ("sr-Latn", "Добро јутро", "100% of the text in 'sr-Latn' is written in Cyrillic letters instead of Latin"),
        ("ja", "こんにちは世界", None),
        ("und", "Привет, мир", None),
    ],
)
def test_letters_that_a_language_is_not_written_in_are_told(
    tmp_path: Path, language: str, text: str, told: str | None
) -> None:
    notes = notes_on(tmp_path, said(text, 0, 3_000), language=language)
    assert [note.partition(":")[0] for note in notes] == ([told] if told else [])


def test_each_language_of_a_transcript_is_checked_by_its_own_script(tmp_path: Path) -> None:
    foreign = said("Доброе утро", 3_000, 6_000).model_copy(update={"language": "ru"})
    assert notes_on(tmp_path, said("Good morning", 0, 3_000), foreign) == []


def test_a_long_text_in_a_short_region_was_not_said() -> None:
    text, short = "know what you're talking about, I don't know what", in_regions((1_000, 1_400))
    doubted = said(text, 0, 3_000, sure=0.4)
    assert reasons(doubted, evidence=short) == ["too-fast"]
    assert reasons(doubted, evidence=in_regions((1_000, 1_400), evidence=SPEECH)) == []  # a voice is heard all the time
    assert reasons(said(text, 0, 3_000), evidence=short) == []


def test_a_window_that_holds_more_than_its_voices_can_say_was_not_said() -> None:
    window = Region(start_ms=0, end_ms=30_000)
    parts = [
        said(f"{number}, and I don't know what you are talking about", number * 5_000, number * 5_000 + 4_000, sure=0.4)
        for number in range(5)
    ]
    heard = [part.model_copy(update={"window": window}) for part in parts]
    assert (
        reasons(*heard, evidence=in_regions(*((at, at + 600) for at in range(500, 25_000, 5_000)))) == ["too-fast"] * 5
    )
    assert reasons(*heard, evidence=in_regions((1_000, 29_000))) == []


def test_a_language_whose_words_the_recogniser_does_not_believe_in_is_told(tmp_path: Path) -> None:
    weak = said("Jeden w Otrzekster i siadę", 0, 3_000, sure=0.6).model_copy(update={"language": "pl"})
    assert notes_on(tmp_path, said("Good morning to you all.", 3_000, 6_000), weak) == [
        "the recogniser was unsure of its words in 'pl' (60%): expect many errors"
    ]
    assert notes_on(tmp_path, said("Um, what?", 0, 3_000, sure=0.4)) == []  # too few words to tell
