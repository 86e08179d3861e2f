"""Stage `asr` with a fake engine: what it decodes, the times that it gives, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.plan.language_tables import load_languages
from shared.documents.removals import Removals
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Transcript
from shared.stage import Job, StageError
from shared.text.error_rates import ErrorRate
from stages.asr.decoded import DecodedSegment, DecodedWord
from stages.asr.doubts import echoes_prompt
from stages.asr.packs import PACK_MS, make_packs
from stages.asr.stage import AsrInputs, AsrJob, AsrParams, run, stub
from tests.conftest import ROOT
from tests.fakes.listener import Audience


@dataclass
class FakeEngine:
    """Says of every pack what it was given for it; `second` is what it says when asked again."""

    heard: Sequence[DecodedSegment] = ()
    second: Sequence[DecodedSegment] = ()
    likely: Sequence[tuple[str, float]] = (("en", 0.9),)
    languages: frozenset[str] = frozenset({"en", "hi", "pt"})
    longest_ms: int = PACK_MS
    calls: list[tuple[str, Sequence[Region], str | bool]] = field(default_factory=list)
    room: int = 100  # characters
    told: set[str | None] = field(default_factory=set)
    prompts: set[str | None] = field(default_factory=set)

    def prompt_fits(self, text: str) -> bool:
        return len(text) <= self.room

    def duration_ms(self, audio: Path) -> int:
        return 60_000

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        self.calls.append(("identify", pack, False))
        return dict(self.likely)

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        self.calls.append((language, pack, retry))
        self.told.add(params.hotwords)
        self.prompts.add(params.initial_prompt)
        yield from self.second if retry else self.heard


def heard(
    *words: tuple[str, int, int], sure: float = -0.2, no_speech: float = 0.1, each: float = 0.9
) -> DecodedSegment:
    return DecodedSegment(tuple(DecodedWord(text, start, end, each) for text, start, end in words), sure, no_speech)


def regions(*spans: tuple[int, int]) -> tuple[Region, ...]:
    return tuple(Region(start_ms=start, end_ms=end) for start, end in spans)


def a_job(folder: Path, spans: Sequence[tuple[int, int]], **params: str) -> AsrJob:
    speech = SpeechRegions(duration_ms=60_000, regions=regions(*spans)).write(folder / "speech.json")
    inputs = AsrInputs(audio=folder / "a.wav", speech=speech)
    return Job(inputs, AsrParams.model_validate(params), folder, "fake", Audience())


def transcript_of(engine: FakeEngine, job: AsrJob) -> Transcript:
    return Transcript.read(run(engine, job).transcript)


HELLO = heard((" Hello", 200, 500), (" there.", 500, 900))


def test_words_land_where_they_were_said(tmp_path: Path) -> None:
    job = a_job(tmp_path, [(10_000, 12_000)])
    transcript = transcript_of(FakeEngine([HELLO]), job)
    (segment,) = transcript.segments
    assert (segment.text, segment.start_ms, segment.end_ms) == ("Hello there.", 10_000, 10_700)
    assert [(word.text, word.start_ms) for word in segment.words] == [("Hello", 10_000), ("there.", 10_300)]
    assert job.facts == {"language": "en", "language_probability": 0.9, "segments": 1, "words": 2, "left_out": 0}


@pytest.mark.parametrize(
    ("hotwords", "prompt", "left", "told"),
    [
        ("Ada, Bo Li, Cy", None, "Ada, Bo Li, Cy", []),
        ("Ada,, Bo Li,   Cy,", None, "Ada, Bo Li, Cy", []),
        ("Ada, Bo Li, Cyrus", None, "Ada, Bo Li", ["no room for 1 of the hotwords, from `Cyrus` on"]),
        ("Ada Bo Cy Dee Eve", None, "Ada Bo Cy Dee", ["no room for 1 of the hotwords, from `Eve` on"]),
        ("Ada, Bo, Cy", "Hello, Bo.", "Ada", ["no room for 2 of the hotwords, from `Bo` on"]),
        (
            "Ada",
            "Hello, my dear Bo.",
            None,
            ["the decoder uses only the end of `initial_prompt`", "no room for 1 of the hotwords, from `Ada` on"],
        ),
    ],
)
def test_hotwords_that_the_decoder_has_no_room_for_are_left_out_whole_and_told(
    tmp_path: Path, hotwords: str, prompt: str | None, left: str | None, told: list[str]
) -> None:
    engine = FakeEngine([HELLO], room=14)
    params = {"hotwords": hotwords, **({"initial_prompt": prompt} if prompt else {})}
    job = a_job(tmp_path, [(10_000, 12_000)], **params)
    run(engine, job)
    assert engine.told == {left}
    assert isinstance(job.listener, Audience)
    assert len(job.listener.warnings) == len(told)
    for warning, expected in zip(job.listener.warnings, told, strict=True):
        assert expected in warning


def test_where_nobody_speaks_the_model_hears_nothing(tmp_path: Path) -> None:
    engine = FakeEngine([HELLO])
    transcript = transcript_of(engine, a_job(tmp_path, []))
    assert (transcript.language, transcript.segments, engine.calls) == ("und", (), [])
    assert transcript_of(engine, a_job(tmp_path, [], language="hi")).language == "hi"


def test_a_language_that_nobody_tells_is_recorded_as_unknown_with_what_was_said(tmp_path: Path) -> None:
    job = a_job(tmp_path, [(10_000, 12_000)])
    transcript = transcript_of(FakeEngine([HELLO], likely=()), job)
    assert (transcript.language, transcript.language_probability, transcript.text) == ("und", 0, "Hello there.\n")
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == [
        "fake does not report which language it heard, so none is recorded; set `language`"
    ]


def test_short_pauses_are_decoded_and_long_ones_cut_out() -> None:
    speech = SpeechRegions(duration_ms=60_000, regions=regions((1_000, 2_000), (3_000, 4_000), (20_000, 21_000)))
    assert make_packs(speech, 2_000, 200) == (regions((800, 4_200), (19_800, 21_200)),)


def test_a_region_that_fits_is_not_cut_for_its_padding() -> None:
    speech = SpeechRegions(duration_ms=90_000, regions=regions((5_000, 34_900), (50_000, 80_200)))
    packs = make_packs(speech, 2_000, 200, longest_ms=30_000)
    assert packs == (regions((4_950, 34_950), (50_000, 65_100), (65_100, 80_200)),)


def test_hours_of_speech_become_packs_that_end_between_regions() -> None:
    spans = [(start, start + 29_000) for start in range(0, 3_600_000, 30_000)]
    packs = make_packs(SpeechRegions(duration_ms=3_600_000, regions=regions(*spans)), 2_000, 200)
    assert len(packs) == 12
    assert all(sum(one.end_ms - one.start_ms for one in pack) <= PACK_MS for pack in packs)
    pauses = {start - 500 for start, _ in spans}
    assert all(pack[0].start_ms in pauses | {0} | {start - 200 for start, _ in spans} for pack in packs)


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 700_000)), max_size=20),
    st.integers(0, 3_000), st.integers(0, 500),
)  # fmt: skip
def test_packs_hold_all_speech_once(parts: list[tuple[int, int]], bridge: int, pad: int) -> None:
    spans, at = [], 0
    for gap, length in parts:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    packs = make_packs(SpeechRegions(duration_ms=at, regions=regions(*spans)), bridge, pad)
    stretches = [stretch for pack in packs for stretch in pack]
    edges = [edge for stretch in stretches for edge in (stretch.start_ms, stretch.end_ms)]
    assert edges == sorted(edges)
    assert all(sum(one.end_ms - one.start_ms for one in pack) <= PACK_MS for pack in packs)
    for start, end in spans:
        covered = sum(max(0, min(end, one.end_ms) - max(start, one.start_ms)) for one in stretches)
        assert covered == end - start


WINDOW = Region(start_ms=1_000, end_ms=10_000)


def test_text_without_word_times_becomes_sentences_that_remember_their_window(tmp_path: Path) -> None:
    words = ((" Good", 0, 500), (" day.", 500, 1_000), (" Who's", 1_000, 1_500), (" there?", 1_500, 1_900))
    text = replace(heard(*words), window=WINDOW)
    job = a_job(tmp_path, [(1_200, 1_800), (9_200, 9_800)], min_silence_duration_ms="500", speech_pad_ms="200")
    first, second = transcript_of(FakeEngine([text]), job).segments
    assert (first.text, second.text) == ("Good day.", "Who's there?")
    assert (first.window, second.window) == (WINDOW, WINDOW)
    assert all(word.interpolated for segment in (first, second) for word in segment.words)
    assert [word.start_ms for word in (*first.words, *second.words)] == [1_000, 1_500, 9_000, 9_500]


def test_a_repetition_without_word_times_is_decoded_again_as_a_whole_window(tmp_path: Path) -> None:
    engine = FakeEngine([replace(LOOP, window=WINDOW)], second=[HELLO])
    transcript_of(engine, a_job(tmp_path, [(1_000, 10_000)]))
    assert engine.calls[2] == ("en", (WINDOW,), True)


class Polyglot(FakeEngine):
    """Hears Hindi in the second half of the audio, and is not sure of anything in the last quarter."""

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        return {"en": 0.9} if pack[0].start_ms < 30_000 else {"hi": 0.9 if pack[0].start_ms < 45_000 else 0.4}


def test_each_stretch_may_be_in_a_language_of_its_own(tmp_path: Path) -> None:
    engine = Polyglot([HELLO])
    job = a_job(tmp_path, [(0, 900), (10_000, 11_000), (31_000, 32_000), (50_000, 51_000)], multilingual="true")
    transcript = transcript_of(engine, job)
    calls = [(language, len(pack)) for language, pack, retry in engine.calls if not retry]
    assert calls == [("en", 2), ("hi", 1), ("en", 1)]
    assert transcript.language == "en"
    assert [segment.language for segment in transcript.segments] == [None, "hi", None]


@pytest.mark.parametrize(
    "invented",
    [
        heard((" Thank", 0, 500), (" you.", 500, 900), sure=-1.2, no_speech=0.8),
        heard((" You", 0, 900), sure=-0.8, no_speech=0.77, each=0.08),
        heard(*[(" 5,", at, at + 10) for at in range(0, 900, 10)], sure=-0.1, no_speech=0.8),
    ],
    ids=["unsure", "improbable", "repetitive"],
)
def test_what_nobody_said_is_left_out_and_reported(tmp_path: Path, invented: DecodedSegment) -> None:
    engine = FakeEngine([invented, HELLO], second=[HELLO])
    job = a_job(tmp_path, [(0, 1_500)])
    assert transcript_of(engine, job).text == "Hello there.\n"
    assert job.facts["left_out"] == 1
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings[0].startswith("left out text without speech:")
    (removal,) = Removals.read(job.out_dir / "left-out.json").removals
    assert (removal.reason, removal.start_ms, removal.end_ms) == ("no-speech", 0, 900)
    assert removal.evidence["no_speech_probability"] == invented.no_speech_probability


LOOP = heard(*[(" again", at, at + 10) for at in range(0, 900, 10)])


def test_speech_that_came_back_as_a_repetition_is_decoded_again(tmp_path: Path) -> None:
    engine = FakeEngine([LOOP], second=[HELLO])
    transcript = transcript_of(engine, a_job(tmp_path, [(0, 1_500)]))
    assert transcript.text == "Hello there.\n"
    assert engine.calls[-1] == ("en", regions((0, 900)), True)


def test_a_repetition_that_stays_one_is_left_out(tmp_path: Path) -> None:
    job = a_job(tmp_path, [(0, 1_500)])
    assert transcript_of(FakeEngine([LOOP], second=[LOOP]), job).segments == ()
    assert (job.facts["left_out"], job.facts["language"]) == (1, "und")
    (removal,) = Removals.read(job.out_dir / "left-out.json").removals
    assert removal.reason == "repetitive"
    assert removal.evidence["compression_ratio"] > 4


def test_speech_without_text_is_decoded_again_by_itself(tmp_path: Path) -> None:
    engine = FakeEngine([HELLO], second=[heard((" Good", 100, 500), (" day.", 500, 900))])
    job = a_job(tmp_path, [(0, 1_000), (4_000, 5_500)])
    transcript = transcript_of(engine, job)
    assert engine.calls[-1] == ("en", regions((4_000, 5_500)), True)
    assert [(segment.text, segment.start_ms) for segment in transcript.segments] == [
        ("Hello there.", 200), ("Good day.", 4_100)
    ]  # fmt: skip


def test_what_is_found_by_the_second_try_must_be_likely(tmp_path: Path) -> None:
    engine = FakeEngine([HELLO], second=[heard((" Thank", 100, 500), (" you.", 500, 900), sure=-0.9)])
    assert transcript_of(engine, a_job(tmp_path, [(0, 1_000), (4_000, 5_500)])).text == "Hello there.\n"


EXAMPLES = {"example_text": {"en": "Yes. Well, no?", "hi": "हाँ।"}}


@pytest.mark.parametrize(
    ("params", "room", "prompt"),
    [
        ({"language": "en-GB"}, 100, "Yes. Well, no?"),
        ({"language": "hi"}, 100, "हाँ।"),
        ({"language": "pt"}, 100, None),
        ({"language": "en", "initial_prompt": "Ada."}, 100, "Ada."),
        ({"language": "en", "hotwords": "Ada, Bo"}, 15, None),
        ({"language": "en", "hotwords": "Ada, Bo"}, 22, "Yes. Well, no?"),
    ],
)
def test_the_decoder_hears_an_example_in_the_language_if_there_is_room_and_no_other(
    tmp_path: Path, params: dict[str, str], room: int, prompt: str | None
) -> None:
    engine = FakeEngine([HELLO], room=room)
    job = a_job(tmp_path, [(0, 1_000)], **params)
    run(engine, replace(job, params=job.params.model_copy(update=EXAMPLES)))
    assert engine.prompts == {prompt}


def test_an_echo_of_the_example_is_dropped_and_what_was_said_is_decoded_without_it(tmp_path: Path) -> None:
    echo = heard((" Yes.", 0, 400), (" Well,", 400, 900), (" no?", 900, 1_400))
    engine = FakeEngine([echo], second=[HELLO])
    job = a_job(tmp_path, [(0, 1_500)], language="en")
    transcript = transcript_of(engine, replace(job, params=job.params.model_copy(update=EXAMPLES)))
    assert [segment.text for segment in transcript.segments] == ["Yes.", "Hello there."]
    assert engine.prompts == {"Yes. Well, no?", None}


def test_a_prompt_of_the_user_may_be_said(tmp_path: Path) -> None:
    said = heard((" Well,", 0, 700), (" Ada.", 700, 1_400))
    job = a_job(tmp_path, [(0, 1_500)], language="en", initial_prompt="Well, Ada.")
    assert transcript_of(FakeEngine([said]), job).text == "Well, Ada.\n"


@pytest.mark.parametrize("example", load_languages(ROOT / "config" / "languages")["example_text"].values())
def test_a_part_of_an_example_is_an_echo_and_one_word_or_another_text_is_not(example: str) -> None:
    assert echoes_prompt(example, example)
    assert echoes_prompt(example[len(example) // 2 :].partition(" ")[2] or example[4:], example)
    assert not echoes_prompt("Something else.", example)
    assert not echoes_prompt("", example)
    assert not echoes_prompt(example, None)
    assert not echoes_prompt("Yes.", "Yes. Well, no?")


def test_a_language_in_which_the_model_is_known_to_be_weak_is_told_with_the_source(tmp_path: Path) -> None:
    rates = {
        tag: ErrorRate(percent=percent, unit="word", source="a paper") for tag, percent in (("hi", 131), ("en", 5))
    }
    job = a_job(tmp_path, [(0, 900)], language="hi")
    run(FakeEngine([HELLO]), replace(job, params=job.params.model_copy(update={"error_rates": rates})))
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == [
        "this model is known to be weak in Hindi, so expect many errors: its published word error rate is 131 %"
        " (a paper)"
    ]
    job = a_job(tmp_path, [(0, 900)], language="en")
    run(FakeEngine([HELLO]), replace(job, params=job.params.model_copy(update={"error_rates": rates})))
    assert isinstance(job.listener, Audience)
    assert not job.listener.warnings


def test_a_language_that_is_not_sure_is_told_with_the_next_one(tmp_path: Path) -> None:
    engine = FakeEngine([HELLO], likely=(("hi", 0.5), ("ur", 0.3)))
    job = a_job(tmp_path, [(0, 900)])
    assert transcript_of(engine, job).language == "hi"
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == [
        "identified the language as 'hi', but is not sure (50%, 'ur' 30%); `language` sets it"
    ]


def test_a_foreign_opening_does_not_decide_and_is_transcribed_in_its_own_language(tmp_path: Path) -> None:
    class Opening(FakeEngine):
        def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
            return {"pt": 0.95} if pack[0].start_ms < 8_000 else {"en": 0.9}

    engine = Opening([HELLO])
    job = a_job(tmp_path, [(0, 8_000), (20_000, 30_000), (40_000, 55_000)])
    transcript = transcript_of(engine, job)
    assert (transcript.language, transcript.language_probability) == ("en", 0.9)
    assert [segment.language for segment in transcript.segments][:2] == ["pt", None]
    assert isinstance(job.listener, Audience)
    assert "another language than 'en' is spoken and transcribed: 'pt' at 0:00 to 0:08" in job.listener.warnings


def test_a_given_language_is_not_identified_and_keeps_its_region(tmp_path: Path) -> None:
    engine = FakeEngine([HELLO])
    assert transcript_of(engine, a_job(tmp_path, [(0, 1_500)], language="pt_BR")).language == "pt-BR"
    assert [call[0] for call in engine.calls] == ["pt"]


def test_a_language_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError) as refusal:
        run(FakeEngine(), a_job(tmp_path, [(0, 1_500)], language="ks"))
    assert refusal.value.code == "asr.language"
    with pytest.raises(ValidationError, match="expected a language that is known"):
        AsrParams(language="klingon speech")


def test_segments_are_numbered_over_all_packs(tmp_path: Path) -> None:
    transcript = transcript_of(FakeEngine([HELLO, HELLO]), a_job(tmp_path, [(0, 1_500)]))
    assert [segment.id for segment in transcript.segments] == [0, 1]


def test_the_stub_needs_no_library(tmp_path: Path) -> None:
    outputs = stub(a_job(tmp_path, []))
    assert len(Transcript.read(outputs.transcript).segments) == 2


def test_without_regions_given_all_of_the_audio_is_heard(tmp_path: Path) -> None:
    job = a_job(tmp_path, [])
    alone = replace(job, inputs=AsrInputs(audio=tmp_path / "audio.wav"))
    engine = FakeEngine([heard((" Hello", 500, 900))])
    run(engine, alone)
    assert engine.calls[-1] == ("en", regions((0, 60_000)), False)
