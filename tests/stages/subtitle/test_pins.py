"""Corrections survive every relayout: fixed cues keep lines and times, corrected words are shown, the rest is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet, ReadCues
from shared.documents.pins import Pin, Pins
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Job
from shared.text.guide_limits import Limits
from stages.correct.corrections import Corrections as Correcting
from stages.correct.stage import Corrected, Correction
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.pinned import shows
from stages.subtitle.stage import Corrections, LayoutOptions, SubtitleInputs, SubtitleParams, run
from stages.toolkit.cues.marks import words_of_lines
from tests.conftest import examples
from tests.fakes.listener import Audience

WIDE = Limits(42, 2, 20.0, 834, 7000, 80, 500, 480)
NARROW = Limits(22, 2, 17.0, 1000, 7000, 80, 480, 480)
SAID = (
    "We saw the old man by the river, and then we went home. It was late. Nobody spoke on the way,"
    " because all of us were tired. In the morning he was gone, and so was his boat."
)
WRITER, CORRECTING = LayoutEngine(), Correcting()


def a_transcript(said: str = SAID, shift_ms: int = 0) -> Transcript:
    """Return three segments; a word begins every 400 ms and lasts 300 ms."""
    words = [
        Word(text=part, start_ms=1000 + n * 400 + shift_ms, end_ms=1300 + n * 400 + shift_ms, probability=0.9)
        for n, part in enumerate(said.split())
    ]
    third = len(words) // 3
    groups = [words[:third], words[third : 2 * third], words[2 * third :]]
    segments = tuple(
        Segment(
            id=n, text=" ".join(w.text for w in some), start_ms=some[0].start_ms, end_ms=some[-1].end_ms,
            words=tuple(some),
        )
        for n, some in enumerate(groups)
    )  # fmt: skip
    return Transcript(language="en", language_probability=1.0, duration_ms=30_000, segments=segments)


def laid(transcript: Transcript, limits: Limits = WIDE) -> CueSheet:
    return WRITER.lay_out(transcript, None, limits)


def relaid(corrected: Corrected, limits: Limits, *read: ReadCues) -> CueSheet:
    corrections = Corrections(corrected.pins, read)
    return WRITER.lay_out(corrected.transcript, None, limits, LayoutOptions(), corrections)


def corrected(transcript: Transcript, base: Sequence[Cue], edited: Sequence[Cue]) -> Corrected:
    return CORRECTING.correct(
        transcript, None, [Correction(ReadCues(cues=tuple(edited)), ReadCues(cues=tuple(base)))]
    )  # fmt: skip


def words_in(cues: Sequence[Cue]) -> Counter[str]:
    return Counter(word for cue in cues for word in words_of_lines(cue.lines).split())


def edited_at_random(data: st.DataObject, cues: Sequence[Cue]) -> list[Cue]:
    """Return the cues as a user might leave them."""
    found: list[Cue] = []
    for cue in cues:
        change = data.draw(
            st.sampled_from(["keep", "keep", "word", "words", "break", "time", "drop", "split", "merge"])
        )
        words = " ".join(cue.lines).split()
        if change == "word":
            words[data.draw(st.integers(0, len(words) - 1))] = "Swan"
            cue = cue.model_copy(update={"lines": (" ".join(words[:3]), " ".join(words[3:]))[: 1 + (len(words) > 3)]})
        elif change == "words":
            some = data.draw(st.lists(st.sampled_from(["one", "two", "river,", "[door]"]), min_size=1, max_size=5))
            cue = cue.model_copy(update={"lines": (" ".join(some),)})
        elif change == "break":
            cue = cue.model_copy(update={"lines": tuple(words)})
        elif change == "time":
            cue = cue.model_copy(update={"start_ms": cue.start_ms + data.draw(st.integers(-150, 200)), "spoken": None})
        if change == "drop":
            continue
        if change == "split":
            middle = (cue.start_ms + cue.end_ms) // 2
            half = (len(words) + 1) // 2
            found.append(cue.model_copy(update={"end_ms": middle, "lines": (" ".join(words[:half]),)}))
            cue = cue.model_copy(update={"start_ms": middle, "lines": (" ".join(words[half:]) or "and",)})
        if change == "merge" and found:
            last = found.pop()
            cue = cue.model_copy(update={"start_ms": last.start_ms, "lines": (*last.lines, *cue.lines)})
        found.append(cue)
    return found


def assert_shown(pins: Sequence[Pin], sheet: CueSheet) -> None:
    told = [(cue.start_ms, cue.end_ms, cue.lines) for cue in sheet.cues]
    for pin in pins:
        if pin.fixed:
            assert all((cue.start_ms, cue.end_ms, cue.lines) in told for cue in pin.cues), pin
        else:
            assert shows(sheet.cues, pin), pin


@examples(1)
@given(st.data())
def test_any_set_of_corrections_survives_a_relayout(data: st.DataObject) -> None:
    transcript = a_transcript()
    base = laid(transcript).cues
    edited = edited_at_random(data, base)
    found = corrected(transcript, base, edited)
    for limits in (WIDE, NARROW):
        sheet = relaid(found, limits, ReadCues(cues=tuple(edited), format="srt"))
        assert_shown(found.pins, sheet)
        assert words_in(sheet.cues) == words_in(edited)
        assert [cue.start_ms for cue in sheet.cues] == sorted(cue.start_ms for cue in sheet.cues)
        again = relaid(corrected(transcript, base, edited), limits, ReadCues(cues=tuple(edited), format="srt"))
        assert again.as_text() == sheet.as_text()


@examples(1)
@given(st.data())
def test_corrections_survive_what_another_model_heard_at_other_times(data: st.DataObject) -> None:
    base = laid(a_transcript()).cues
    edited = edited_at_random(data, base)
    other = a_transcript(SAID.replace("late.", "great.").replace("gone,", "gone"), data.draw(st.integers(-250, 250)))
    found = corrected(other, base, edited)
    for limits in (WIDE, NARROW):
        assert_shown(found.pins, relaid(found, limits))


def test_a_cue_that_a_second_correction_leaves_with_sounds_alone_is_shown() -> None:
    transcript = a_transcript()
    base = laid(transcript).cues
    merged = base[2].model_copy(update={"start_ms": base[1].start_ms, "lines": ("[door] [door]", *base[2].lines)})
    first = [base[0], merged]
    published = relaid(corrected(transcript, base, first), NARROW).cues
    second = [*published[:-1], published[-1].model_copy(update={"lines": ("[door] [door]",)})]
    both = [
        Correction(ReadCues(cues=tuple(first)), ReadCues(cues=base)),
        Correction(ReadCues(cues=tuple(second)), ReadCues(cues=published)),
    ]
    found = CORRECTING.correct(transcript, None, both)
    assert_shown(found.pins, relaid(found, WIDE))


@examples(1)
@given(st.data())
def test_a_second_correction_adds_to_the_first(data: st.DataObject) -> None:
    transcript = a_transcript()
    base = laid(transcript).cues
    first = edited_at_random(data, base)
    published = relaid(corrected(transcript, base, first), NARROW).cues
    second = edited_at_random(data, published)
    both = [
        Correction(ReadCues(cues=tuple(first)), ReadCues(cues=base)),
        Correction(ReadCues(cues=tuple(second)), ReadCues(cues=published)),
    ]
    found = CORRECTING.correct(transcript, None, both)
    assert_shown([pin for pin in found.pins if pin.correction == 1], relaid(found, WIDE))
    assert_shown(found.pins, relaid(found, NARROW))


def test_a_corrected_word_follows_a_new_guide_and_a_moved_cue_stays() -> None:
    transcript = a_transcript()
    base = laid(transcript).cues
    word = base[0].model_copy(update={"lines": tuple(line.replace("old", "young") for line in base[0].lines)})
    moved = base[-1].model_copy(update={"start_ms": base[-1].start_ms + 150})
    edited = [word, *base[1:-1], moved]
    found = corrected(transcript, base, edited)
    assert [pin.fixed for pin in found.pins] == [False, True]
    sheet = relaid(found, NARROW)
    assert all(len(line) <= 22 for cue in sheet.cues[:-1] for line in cue.lines)
    assert (sheet.cues[-1].start_ms, sheet.cues[-1].lines) == (moved.start_ms, moved.lines)
    assert "young" in words_in(sheet.cues)


def test_the_file_stays_as_the_user_left_it_as_long_as_the_rest_does(tmp_path: Path) -> None:
    transcript = a_transcript()
    (tmp_path / "out").mkdir()
    plain = SubtitleInputs(transcript=transcript.write(tmp_path / "t.json"))
    run(WRITER, Job(plain, SubtitleParams(formats=("srt",)), tmp_path / "out", "pysubs2", Audience()))
    before = tmp_path / "out" / "subtitles.srt"
    mine = tmp_path / "mine.srt"
    mine.write_text(
        before.read_text(encoding="utf-8").replace("old", "<s>old</s> young").replace("\n", "\r\n"),
        newline="",
        encoding="utf-8",
    )
    found = CORRECTING.correct(
        transcript, None, [Correction(CORRECTING.read(mine), CORRECTING.read(before))]
    )  # fmt: skip
    inputs = SubtitleInputs(
        transcript=found.transcript.write(tmp_path / "t2.json"), edited=(mine,),
        pins=Pins(pins=found.pins).write(tmp_path / "pins.json"),
    )  # fmt: skip
    for place, params in (("same", SubtitleParams(formats=("srt",))), ("new", SubtitleParams(line_length=20))):
        (tmp_path / place).mkdir()
        run(WRITER, Job(inputs, params, tmp_path / place, "pysubs2", Audience()))
    assert (tmp_path / "same" / "subtitles.srt").read_bytes() == mine.read_bytes()
    assert "young" in (tmp_path / "new" / "subtitles.srt").read_text(encoding="utf-8")
    assert (tmp_path / "new" / "subtitles.srt").read_bytes() != mine.read_bytes()


@pytest.mark.parametrize("known", [True, False])
def test_without_the_file_before_every_cue_is_kept(known: bool) -> None:
    base = laid(a_transcript()).cues
    mine = [cue.model_copy(update={"lines": (*cue.lines[:-1], f"{cue.lines[-1]} yes")}) for cue in base]
    correction = Correction(ReadCues(cues=tuple(mine)), ReadCues(cues=base) if known else None)
    found = CORRECTING.correct(a_transcript(), None, [correction])
    assert all(pin.fixed is not known for pin in found.pins)
    assert words_in(relaid(found, NARROW).cues) == words_in(mine)
