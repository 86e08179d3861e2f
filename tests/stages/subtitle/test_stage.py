"""Stage `subtitle` keeps the order and every character of any text, and the limits where that is possible."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet
from shared.documents.media import Media, Track
from shared.documents.quality_report import QualityReport
from shared.documents.transcript import Segment, Transcript, Word
from shared.documents.translation import TranslatedSegment, Translation
from shared.stage import Job
from shared.text.guide_limits import GuideParams, Limits
from shared.text.text_width import clusters, is_cluster_edge, places
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.stage import LayoutOptions, SubtitleInputs, SubtitleParams, run, stub
from stages.subtitle.times import LaidOutCue, set_times
from stages.toolkit.cues.rules import check
from stages.toolkit.formats.reader import read
from tests.conftest import examples
from tests.fakes.listener import Audience
from tests.joining import joining

ENGINE = LayoutEngine()
LIMITS = GuideParams(reading_speed=20.0).limits("en", 25.0)
_SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyzABC.,!?-'\"()", "éüñçßœ¿¡«»", "अआकखगनमयरलवशसह़ािीुूेैोौंःँ्।", "世界人間見時行学。、「」",
    "あいうえおかきっゃー", "アイウッャー・", "กขคงจนมรลวสอะาิีุูเแโใไำ่้็์ๆ", "가나다라한글ᄒ\u1161\u11ab", "مرحباكيف؟،ًٌَُّ",
    "\U0001f468\u200d\U0001f469\U0001f1eb\U0001f1f7\U0001f3fd", "\u0301\u0308\u200d\u200f\ufe0f\u00ad",
)  # fmt: skip


_TEXT = st.one_of(*(st.text(alphabet=script, min_size=1, max_size=12) for script in _SCRIPTS), st.text(max_size=60))


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    speakers = draw(st.sampled_from([(None,), ("A",), ("A", "B"), ("A", "B", "C")]))
    at_ms = draw(st.integers(0, 3000))
    segments = []
    for number in range(draw(st.integers(0, 6))):
        words = []
        for text in draw(st.lists(_TEXT, max_size=14)):
            length = draw(st.integers(1, 900))
            words.append(
                Word(
                    text=text, start_ms=at_ms, end_ms=at_ms + length, probability=1.0,
                    joined=draw(st.booleans()), speaker=draw(st.sampled_from(speakers)),
                )
            )  # fmt: skip
            at_ms += length + draw(st.sampled_from([0, 0, 0, 40, 700, 4000, 20_000]))
        text = "".join(word.text if word.joined else f" {word.text}" for word in words)
        start, end = (words[0].start_ms, words[-1].end_ms) if words else (at_ms, at_ms + 1)
        kept = tuple(words) if draw(st.integers(0, 3)) else ()
        who = draw(st.sampled_from(speakers))
        segments.append(Segment(id=number, text=text, start_ms=start, end_ms=end, words=kept, speaker=who))
    return Transcript(
        language=draw(st.sampled_from(["en", "hi", "ja", "th", "und"])), language_probability=1.0,
        duration_ms=at_ms + draw(st.integers(0, 5000)), segments=tuple(segments),
    )  # fmt: skip


@st.composite
def any_limits(draw: st.DrawFn) -> Limits:
    return GuideParams(
        line_length=draw(st.integers(10, 45)), lines=draw(st.integers(1, 3)), reading_speed=draw(st.floats(5, 30)),
        min_duration_ms=draw(st.integers(1, 2000)), max_duration_ms=draw(st.integers(1000, 9000)),
        gap_frames=draw(st.integers(0, 4)), chain_below_ms=draw(st.sampled_from([0, 500, 1000])),
    ).limits("en", draw(st.sampled_from([23.976, 25.0, 60.0])))  # fmt: skip


def original(transcript: Transcript) -> str:
    """Return all words in one line, parted as they were given."""
    text = ""
    for segment in transcript.segments:
        if not segment.words:
            text += " " + segment.text
        for word in segment.words:
            text += word.text if word.joined else f" {word.text}"
    return " ".join(text.split())


def without_mark(line: str, cue: Cue, *, all_have_speakers: bool) -> str:
    """Return a line as it was said: in a dialogue, which alone has no speaker where everyone has one, a hyphen leads
    it."""
    return line[1:] if all_have_speakers and cue.speaker is None else line


@examples(3)
@given(transcripts(), any_limits())
def test_any_words_give_cues_in_order_inside_the_media_and_within_what_can_always_be_kept(
    transcript: Transcript, limits: Limits
) -> None:
    cues = ENGINE.lay_out(transcript, None, limits, LayoutOptions(joining=joining(transcript.language))).cues
    end_ms = max(transcript.duration_ms, len(cues))
    gap = limits.gap_ms if len(cues) * (limits.gap_ms + 1) <= end_ms else 0
    assert all(0 <= cue.start_ms < cue.end_ms <= end_ms for cue in cues)
    assert all(cue.end_ms - cue.start_ms <= limits.max_duration_ms for cue in cues)
    assert all(one.end_ms + gap <= other.start_ms for one, other in pairwise(cues))
    for cue in cues:
        assert 1 <= len(cue.lines) <= limits.lines
        assert all(line == line.strip() and line for line in cue.lines)
        assert all(places(line) <= limits.line_length or len(clusters(line)) == 1 for line in cue.lines)


@examples(3)
@given(transcripts(), any_limits())
def test_no_character_is_lost_invented_or_cut(transcript: Transcript, limits: Limits) -> None:
    speakers = {word.speaker or segment.speaker for segment in transcript.segments for word in segment.words}
    speakers |= {segment.speaker for segment in transcript.segments}
    assume(not ({None} < speakers))  # where some have one, a mark may stand for nobody
    cues = ENGINE.lay_out(transcript, None, limits).cues
    text, at = original(transcript), 0
    known = None not in speakers
    for line in (without_mark(line, cue, all_have_speakers=known) for cue in cues for line in cue.lines):
        if text[at : at + 1] == " ":
            at += 1
        else:
            assert is_cluster_edge(text, at)
        assert text[at : at + len(line)] == line
        at += len(line)
    assert at == len(text)


@examples(0.5)
@given(transcripts(), any_limits())
def test_the_same_words_give_the_same_bytes(transcript: Transcript, limits: Limits) -> None:
    one, other = (ENGINE.lay_out(transcript, None, limits) for _ in range(2))
    assert one == other
    assert ENGINE.render(one, "srt", None) == ENGINE.render(other, "srt", None)
    assert ENGINE.render(one, "vtt", None) == ENGINE.render(other, "vtt", None)


@examples(2)
@given(
    st.lists(st.tuples(st.text(alphabet="abcdefgh.,?", min_size=1, max_size=12), st.integers(0, 3000)), max_size=60),
    st.sampled_from([None, "AB"]),
)
def test_talk_that_can_be_read_breaks_no_limit(words: list[tuple[str, int]], speakers: str | None) -> None:
    at_ms, said = 0, []
    for number, (text, pause) in enumerate(words):
        speaker = speakers[number // 5 % 2] if speakers else None
        said.append(a_word(text, at_ms, at_ms + 1000, speaker))
        at_ms += 1000 + pause
    transcript = a_transcript(*said, end_ms=at_ms + 1500)
    sheet = ENGINE.lay_out(transcript, None, LIMITS)
    assert check(sheet.cues, "en", LIMITS, transcript.duration_ms).over_limits == 0


def a_word(text: str, start_ms: int, end_ms: int, speaker: str | None = None) -> Word:
    return Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=1.0, speaker=speaker)


def a_transcript(*words: Word, end_ms: int = 60_000, language: str = "en") -> Transcript:
    segments = tuple(
        Segment(id=number, text=word.text, start_ms=word.start_ms, end_ms=word.end_ms, words=(word,))
        for number, word in enumerate(words)
    )
    return Transcript(language=language, language_probability=1.0, duration_ms=end_ms, segments=segments)


def talk(text: str, *, speaker: str | None = None, start_ms: int = 0, pace_ms: int = 75) -> list[Word]:
    """Return words at a steady pace, `pace_ms` a character."""
    words = []
    for word in text.split():
        words.append(a_word(word, start_ms, start_ms + len(word) * pace_ms, speaker))
        start_ms = words[-1].end_ms + pace_ms
    return words


def shown(*words: Word, language: str = "en", limits: Limits = LIMITS) -> list[tuple[str, ...]]:
    transcript, options = a_transcript(*words, language=language), LayoutOptions(joining=joining(language))
    return [cue.lines for cue in ENGINE.lay_out(transcript, None, limits, options).cues]


@pytest.mark.parametrize(
    ("language", "text", "never"),
    [
        ("en", "Yesterday evening we all went down to the old harbour because the ship had been seen.", "the |"),
        ("en", "I really do not know what happened to my poor friend Doctor Mr. Robinson that night.", "Mr. |"),
        ("es", "Cuando llegamos por fin a la ciudad ya no quedaba nadie en las calles del centro viejo.", "la |"),
        ("fr", "Quand nous sommes enfin arrivés dans la ville il ne restait personne dans les rues.", "les |"),
        ("de", "Als wir endlich in der Stadt ankamen war niemand mehr auf den Straßen zu sehen gewesen.", "den |"),
        ("pt", "Quando chegamos finalmente à cidade já não havia ninguém nas ruas do velho centro.", "do |"),
        ("it", "Quando siamo finalmente arrivati nella città non c'era più nessuno nelle strade.", "nelle |"),
        ("nl", "Toen we eindelijk in de oude stad aankwamen was er niemand meer in de straten te zien.", "de |"),
        ("pl", "Kiedy wreszcie dotarliśmy do starego miasta nie było już nikogo na ulicach przy rynku.", "na |"),
        ("ru", "Когда мы наконец добрались до старого города там уже никого не было на улицах у реки.", "на |"),
        ("tr", "Sonunda eski şehre vardığımızda limandaki geminin gelişi için sokaklarda kimse kalmamıştı.", "| için"),
        ("ar", "عندما وصلنا أخيرا إلى المدينة القديمة لم يكن هناك أحد في شوارع السوق الكبير تلك الليلة", "في |"),
        ("hi", "जब हम आखिरकार शहर में पहुँचे तो पुराने बाज़ार की गलियों में कोई भी आदमी दिखाई नहीं दे रहा था।", "| में"),
    ],
)
def test_no_line_ends_between_words_that_hold_together(language: str, text: str, never: str) -> None:
    lines = [line for cue in shown(*talk(text), language=language) for line in cue]
    assert len(lines) > 1
    assert f" {never} " not in f" {' | '.join(lines)} "


def test_a_line_ends_before_a_conjunction_rather_than_after_it() -> None:
    lines = shown(*talk("He wanted to stay at home that evening but nobody asked him about it."))
    assert lines == [("He wanted to stay at home that evening", "but nobody asked him about it.")]


def test_a_line_is_not_one_word_where_another_break_is_nearly_as_good() -> None:
    text = "Oh, eu também sou originalmente de Chicago."
    assert shown(*talk(text), language="pt") == [("Oh, eu também sou originalmente", "de Chicago.")]
    assert shown(*talk("Unbelievable, incomprehensibilities everywhere.")) == [
        ("Unbelievable,", "incomprehensibilities everywhere.")
    ]


def test_a_sentence_that_spans_two_segments_is_one_cue_and_two_sentences_are_two() -> None:
    first = talk("This sentence was cut by the recogniser in the middle.")
    second = talk("And this one was not.", start_ms=first[-1].end_ms + 200)
    assert [" ".join(cue) for cue in shown(*first, *second)] == [
        "This sentence was cut by the recogniser in the middle.", "And this one was not.",
    ]  # fmt: skip


def test_a_sentence_may_end_with_any_word_but_a_title() -> None:
    words = talk("You may say that I am, and you are. And he was there with Mr. Brown.", pace_ms=90)
    assert [" ".join(cue) for cue in shown(*words)] == [
        "You may say that I am, and you are.", "And he was there with Mr. Brown.",
    ]  # fmt: skip


_HELD = ["the", "a", "of", "in", "with", "my", "we", "they", "was", "very"]
_FREE = ["harbour", "evening", "lantern", "ship", "slowly", "yellow", "morning", "captain", "talked"]


@st.composite
def sentences(draw: st.DrawFn) -> str:
    """Return a sentence of at most two lines: up to two words that bind to the next stand before each other one, as
    `in the harbour`."""
    parts = st.tuples(st.lists(st.sampled_from(_HELD), max_size=2), st.sampled_from(_FREE))
    words = [word for held, free in draw(st.lists(parts, min_size=1, max_size=4)) for word in (*held, free)]
    return f"{' '.join(words).capitalize()}."


@examples(0.6)
@given(st.lists(sentences(), min_size=2, max_size=6), st.lists(st.sampled_from([0, 0, 400, 1200]), min_size=60))
def test_a_cue_ends_neither_after_the_first_words_of_a_sentence_nor_after_a_word_that_binds(
    texts: list[str], pauses: list[int]
) -> None:
    words, at_ms = [], 0
    for text, pause in zip(" ".join(texts).split(), pauses, strict=False):
        words.append(a_word(text, at_ms, at_ms + 100 * len(text)))
        at_ms = words[-1].end_ms + pause
    said = " ".join(word.text for word in words).split(". ")
    ends = set(accumulate(len(text.split()) for text in said))
    starts, at = [0, *sorted(ends)], 0
    for cue in shown(*words):
        first, at = at, at + len(" ".join(cue).split())
        began = max(start for start in starts if start <= at)
        assert at in ends or at == len(words) or first >= began or at - began > 3
        assert at in ends or at == len(words) or words[at - 1].text.lower() not in _HELD


def test_a_sentence_that_begins_at_the_end_of_another_has_a_cue_of_its_own() -> None:
    text = "We were all going direct the other way. In short, the period was so far like the present period."
    assert [" ".join(cue) for cue in shown(*talk(text, pace_ms=45))] == [
        "We were all going direct the other way.", "In short, the period was so far like the present period.",
    ]  # fmt: skip


def test_a_quick_exchange_stands_in_one_cue_with_a_hyphen_for_each_speaker() -> None:
    words = [*talk("Ready?", speaker="A"), *talk("Yes.", speaker="B", start_ms=500)]
    after = talk("Then let us begin with the first question.", speaker="A", start_ms=950)
    assert shown(*words, *after)[0] == ("-Ready?", "-Yes.")


def test_speakers_who_take_their_time_have_cues_of_their_own() -> None:
    words = [*talk("Are you ready now?", speaker="A"), *talk("Yes, I am.", speaker="B", start_ms=4000)]
    assert shown(*words) == [("Are you ready now?",), ("Yes, I am.",)]


def test_japanese_begins_no_line_with_punctuation_or_a_small_letter() -> None:
    text = "きょうはとてもいいてんきですね、さんぽにいきましょうか、ちょっとまってください、いっしょにいきます。"
    segment = Segment(id=0, text=text, start_ms=0, end_ms=14_000)
    transcript = Transcript(language="ja", language_probability=1.0, duration_ms=15_000, segments=(segment,))
    limits = GuideParams(line_length=26, reading_speed=8.0).limits("ja")
    lines = [line for cue in ENGINE.lay_out(transcript, None, limits).cues for line in cue.lines]
    assert "".join(lines) == text
    assert not any(line[0] in "、。っょゃー" for line in lines)


def test_korean_is_wide_and_breaks_at_its_spaces_all_the_same() -> None:
    text = "옛날 어느 마을에 가난하지만 마음씨 착한 나무꾼이 살고 있었습니다"
    limits = replace(LIMITS, line_length=24)
    lines = [line for cue in shown(*talk(text, pace_ms=200), language="ko", limits=limits) for line in cue]
    assert " ".join(lines) == text


def test_a_cue_stays_as_long_as_reading_takes_and_no_longer_than_its_words_need() -> None:
    words = [a_word("Incomprehensibilities!", 1000, 1200), a_word("Yes.", 20_000, 20_300)]
    one, other = ENGINE.lay_out(a_transcript(*words), None, LIMITS).cues
    assert (one.start_ms, one.end_ms) == (1000, 2100)
    assert (other.start_ms, other.end_ms) == (20_000, 20_834)


def test_a_short_gap_is_closed_to_two_frames_and_a_pause_stays_one() -> None:
    words = [*talk("First comes this one."), *talk("Then this one follows.", start_ms=1950)]
    far = talk("Much later the last.", start_ms=9000)
    first, second, third = ENGINE.lay_out(a_transcript(*words, *far), None, LIMITS).cues
    assert second.start_ms - first.end_ms == LIMITS.gap_ms == 80
    assert third.start_ms - second.end_ms > LIMITS.chain_below_ms


def test_nothing_is_shown_after_the_end() -> None:
    cues = ENGINE.lay_out(a_transcript(a_word("Supercalifragilistic", 900, 1000), end_ms=1000), None, LIMITS).cues
    assert cues[-1].end_ms == 1000


def a_job(folder: Path, transcript: Transcript, **inputs: Path) -> Job[SubtitleInputs, SubtitleParams]:
    path = transcript.write(folder / "transcript.json")
    (folder / "out").mkdir()
    return Job(SubtitleInputs(transcript=path, **inputs), SubtitleParams(), folder / "out", "pysubs2", Audience())


def test_the_gap_is_two_frames_of_the_media_and_the_step_says_how_many_cues_are_over(tmp_path: Path) -> None:
    picture = Track(index=0, kind="video", codec="h264", frame_rate=50.0)
    info = Media(container="mov", start_ms=0, duration_ms=9000, tracks=(picture,), audio_track=1, decoded_ms=9000)
    words = [
        *talk("This is much too fast to be read by anybody at all, and nobody ever tried.", pace_ms=10),
        *talk("So is this.", start_ms=700),
    ]
    job = a_job(tmp_path, a_transcript(*words, end_ms=9000), info=info.write(tmp_path / "media.json"))
    cues = CueSheet.read(run(ENGINE, job).cues).cues
    assert cues[1].start_ms - cues[0].end_ms == 40
    assert job.facts["cues"] == 2
    assert job.facts["over_limits"] == job.facts["over_reading_speed"] == 1


def test_a_translation_is_laid_out_over_the_time_of_its_source(tmp_path: Path) -> None:
    transcript = a_transcript(a_word("Hello", 0, 1000), a_word("world", 1200, 2000))
    texts = [TranslatedSegment(id=0, text="Olá,"), TranslatedSegment(id=1, text="mundo")]
    translation = Translation(source="en", target="pt", segments=tuple(texts)).write(tmp_path / "translation.json")
    sheet = CueSheet.read(run(ENGINE, a_job(tmp_path, transcript, translation=translation)).cues)
    assert sheet.language == "pt"
    assert [cue.lines for cue in sheet.cues] == [("Olá, mundo",)]


def test_cues_of_a_translation_that_the_model_doubts_are_in_the_report(tmp_path: Path) -> None:
    transcript = a_transcript(a_word("Hello.", 0, 1000), a_word("World.", 5000, 6000))
    texts = [TranslatedSegment(id=0, text="Olá."), TranslatedSegment(id=1, text="Mundo.", unsure=True)]
    translation = Translation(source="en", target="pt", segments=tuple(texts)).write(tmp_path / "translation.json")
    report = QualityReport.read(run(ENGINE, a_job(tmp_path, transcript, translation=translation)).report)
    assert [(one.rule, one.severity, [cue.number for cue in one.worst]) for one in report.broken] == [
        ("unsure-translation", "warning", [2])
    ]
    assert report.over_limits == 0


def test_silence_gives_valid_empty_files(tmp_path: Path) -> None:
    outputs = run(ENGINE, a_job(tmp_path, a_transcript(end_ms=5000)))
    srt, vtt = outputs.files
    assert (srt.name, srt.read_text(encoding="utf-8")) == ("subtitles.srt", "")
    assert vtt.read_text(encoding="utf-8").startswith("WEBVTT")


def test_the_stub_makes_a_cue_for_each_segment(tmp_path: Path) -> None:
    outputs = stub(a_job(tmp_path, a_transcript(a_word("Hello", 0, 1000), a_word("you", 1200, 2000))))
    assert [cue.lines for cue in CueSheet.read(outputs.cues).cues] == [("Hello",), ("you",)]
    srt, vtt = outputs.files
    assert srt.read_text(encoding="utf-8") == (
        "1\n00:00:00,000 --> 00:00:01,000\n[stub] Hello\n\n2\n00:00:01,200 --> 00:00:02,000\n[stub] you\n\n"
    ), "a stub looks neither like subtitles of the film nor like a file that failed"
    assert [cue.lines for cue in read(vtt).cues] == [("[stub] Hello",), ("[stub] you",)]


def test_every_cue_over_a_limit_is_listed_with_the_reason(tmp_path: Path) -> None:
    slow = talk("This can be read by everybody.")
    fast = talk("This is much too fast to be read by anybody at all, and nobody ever tried.", start_ms=9000, pace_ms=20)
    outputs = run(ENGINE, a_job(tmp_path, a_transcript(*slow, *fast, end_ms=fast[-1].end_ms)))
    report = QualityReport.read(outputs.report)
    assert [(broken.rule, broken.count) for broken in report.broken] == [("reading-speed", report.over_limits)]
    reasons = [offender.reason or "" for broken in report.broken for offender in broken.worst]
    assert len(reasons) == report.over_limits > 0
    assert all(reason.startswith("spoken at ") and "places a second" in reason for reason in reasons)


def test_fast_talk_borrows_time_from_all_the_cues_around_it() -> None:
    """38 places in 1.8 s at a limit of 20, twice, then a pause: what one cue hangs over, the next ones wait."""
    line = "That is what all of them said of it"
    laid = [LaidOutCue((f"{line} {number}.",), 1000 + 1850 * number, 2790 + 1850 * number, None) for number in range(4)]
    cues = set_times(laid, LIMITS, 60_000)
    assert check(cues, "en", LIMITS).over_limits == 0
    assert all(abs(cue.start_ms - said.start_ms) <= 250 for cue, said in zip(cues, laid, strict=True))
    assert cues[0].start_ms < 1000  # no cue on its own words alone would do
    assert cues[3].start_ms > laid[3].start_ms
