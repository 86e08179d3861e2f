"""Stage `correct` applies a person's corrections: unchanged words keep their times, new ones get some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, ReadCues
from shared.documents.diarization import Turn, from_rttm, to_rttm
from shared.documents.transcript import Segment, Transcript, Word
from shared.documents.translation import TranslatedSegment, Translation
from shared.stage import Job, StageError
from stages.correct.corrections import Corrections
from stages.correct.rewording import reword
from stages.correct.stage import Corrected, CorrectInputs, Correction, CorrectParams, run
from stages.toolkit.cues.marks import with_notes, words_of_lines
from tests.conftest import examples
from tests.fakes.listener import Audience

ENGINE = Corrections()
SAID = "we saw the old man by the river and then we went home"


def a_transcript(text: str = SAID, *, joined: bool = False) -> Transcript:
    """Return two segments; a word begins every half second and lasts 400 ms."""
    parts = list(text) if joined else text.split()
    words = [
        Word(text=part, start_ms=n * 500, end_ms=n * 500 + 400, probability=0.5, joined=joined and n > 0, speaker="A")
        for n, part in enumerate(parts)
    ]
    segments = []
    for number, some in enumerate((words[: len(words) // 2], words[len(words) // 2 :])):
        told = "".join(w.text if w.joined else f" {w.text}" for w in some).strip()
        segments.append(
            Segment(
                id=number, text=told, start_ms=some[0].start_ms, end_ms=some[-1].end_ms, words=tuple(some), speaker="A"
            )
        )
    return Transcript(
        language="ja" if joined else "en", language_probability=1.0, duration_ms=20_000, segments=tuple(segments)
    )


def cues_of(transcript: Transcript, size: int = 4) -> list[Cue]:
    """Return the subtitles made from it: so many words a cue."""
    words = [word for segment in transcript.segments for word in segment.words]
    groups = [words[n : n + size] for n in range(0, len(words), size)]
    return [
        Cue(
            start_ms=some[0].start_ms, end_ms=some[-1].end_ms,
            lines=("".join(w.text if w.joined else f" {w.text}" for w in some).strip(),),
        )
        for some in groups
    ]  # fmt: skip


def apply(transcript: Transcript, base: list[Cue], cues: list[Cue]) -> Transcript:
    """Return the transcript with the corrections of one subtitle file."""
    correction = Correction(ReadCues(cues=tuple(cues)), ReadCues(cues=tuple(base)))
    return ENGINE.correct(transcript, None, [correction]).transcript


def words_of(transcript: Transcript) -> list[Word]:
    return [word for segment in transcript.segments for word in segment.words]


def carried(cues: list[Cue], transcript: Transcript | None = None) -> Transcript:
    transcript = transcript or a_transcript()
    found = apply(transcript, cues_of(transcript), cues)
    for one, other in pairwise(words_of(found)):
        assert one.start_ms <= other.start_ms
        assert one.start_ms <= one.end_ms
    assert [segment.id for segment in found.segments] == list(range(len(found.segments)))
    return found


def with_text(cues: list[Cue], number: int, text: str) -> list[Cue]:
    return [cue.model_copy(update={"lines": (text,)}) if n == number else cue for n, cue in enumerate(cues)]


def test_subtitles_that_nobody_changed_change_nothing() -> None:
    transcript = a_transcript()
    assert carried(cues_of(transcript)) == transcript


def test_a_new_word_has_the_time_of_the_one_it_replaces_and_no_other_moves() -> None:
    transcript = a_transcript()
    found = carried(with_text(cues_of(transcript), 0, "we saw the young"))
    old, new = words_of(transcript), words_of(found)
    assert [w.text for w in new] == SAID.replace("old", "young").split()
    assert new[:3] == old[:3]
    assert new[4:] == old[4:]
    assert (new[3].start_ms, new[3].end_ms, new[3].speaker, new[3].probability) == (1500, 1900, "A", 1.0)


def test_two_words_for_one_share_its_time() -> None:
    found = words_of(carried(with_text(cues_of(a_transcript()), 1, "man by the grand canal")))
    assert [(w.text, w.start_ms, w.end_ms) for w in found if w.text in {"grand", "canal"}] == [
        ("grand", 3500, 3700), ("canal", 3700, 3900)
    ]  # fmt: skip


def test_a_comma_moves_no_word() -> None:
    found = words_of(carried(with_text(cues_of(a_transcript()), 0, "We saw, the old")))
    assert [(w.text, w.start_ms) for w in found[:4]] == [("We", 0), ("saw,", 500), ("the", 1000), ("old", 1500)]


def test_a_cue_that_was_deleted_takes_its_words_along() -> None:
    found = carried(cues_of(a_transcript())[1:])
    assert " ".join(w.text for w in words_of(found)) == SAID.removeprefix("we saw the old ")


def test_cues_that_were_merged_change_no_word() -> None:
    transcript = a_transcript()
    first, second, *rest = cues_of(transcript)
    merged = Cue(start_ms=first.start_ms, end_ms=second.end_ms, lines=(first.lines[0], second.lines[0]))
    assert carried([merged, *rest]) == transcript


def test_a_cue_that_was_added_brings_its_words_in_its_own_time() -> None:
    added = Cue(start_ms=10_000, end_ms=11_000, lines=("Good night!",))
    found = carried([*cues_of(a_transcript()), added])
    assert found.segments[-1].text == "Good night!"
    assert (found.segments[-1].start_ms, found.segments[-1].end_ms) == (10_000, 11_000)


def test_words_follow_a_cue_that_was_moved_away_and_stay_where_it_still_covers_them() -> None:
    cues = cues_of(a_transcript())
    last = cues[-1].model_copy(update={"start_ms": 9000, "end_ms": 10_000})
    *_, word = words_of(carried([*cues[:-1], last]))
    assert 9000 <= word.start_ms < 10_000
    shifted = cues[-1].model_copy(update={"start_ms": cues[-1].start_ms - 100})
    assert carried([*cues[:-1], shifted]) == a_transcript()


def test_every_cue_may_go() -> None:
    assert carried([]).segments == ()


def test_scripts_without_spaces_are_compared_by_cluster() -> None:
    transcript = a_transcript("世界人間見時行学", joined=True)
    found = carried(with_text(cues_of(transcript), 0, "世海人間"), transcript)
    assert "".join(w.text for w in words_of(found)) == "世海人間見時行学"
    assert [w.start_ms for w in words_of(found)] == [w.start_ms for w in words_of(transcript)]
    assert found.segments[0].text == "世海人間"


def test_a_correction_holds_on_what_another_model_heard() -> None:
    base = cues_of(a_transcript())
    other = a_transcript(SAID.replace("old", "cold").replace("went", "want"))
    found = apply(other, base, with_text(base, 0, "we saw the young"))
    assert " ".join(w.text for w in words_of(found)) == SAID.replace("old", "young").replace("went", "want")


def test_dialogue_marks_and_sounds_are_no_words() -> None:
    found = carried(with_text(cues_of(a_transcript()), 0, "-we saw [door] the new"))
    assert [w.text for w in words_of(found)][:4] == ["we", "saw", "the", "new"]


@examples(1.5)
@given(st.data())
def test_whatever_is_edited_the_corrected_words_are_those_of_the_subtitles(data: st.DataObject) -> None:
    transcript = a_transcript()
    cues = []
    for cue in cues_of(transcript, data.draw(st.integers(1, 5))):
        change = data.draw(st.sampled_from(["keep", "keep", "drop", "text"]))
        if change == "text":
            text = " ".join(
                data.draw(st.lists(st.sampled_from([*SAID.split(), "new", "世界"]), min_size=1, max_size=8))
            )
            cue = cue.model_copy(update={"lines": (text,)})
        if change != "drop":
            cues.append(cue)
    base = cues_of(transcript, 4)
    found = apply(transcript, base, cues)
    assert "".join(w.text for w in words_of(found)) == "".join("".join(cue.lines) for cue in cues).replace(" ", "")
    assert found.text.split() == " ".join(segment.text for segment in found.segments).split()


def a_job(folder: Path, transcript: Transcript, **files: tuple[Path, ...]) -> Job[CorrectInputs, CorrectParams]:
    (folder / "out").mkdir()
    inputs = CorrectInputs(transcript=transcript.write(folder / "t.json"), **files)
    return Job(inputs, CorrectParams(), folder / "out", "corrections", Audience())


def test_in_a_corrected_transcript_words_follow_a_text_that_was_changed(tmp_path: Path) -> None:
    transcript = a_transcript()
    first, second = transcript.segments
    document = transcript.model_copy(
        update={"segments": (first.model_copy(update={"text": "we saw the young man by"}), second)}
    )
    job = a_job(
        tmp_path, transcript,
        corrections=(document.write(tmp_path / "d.json"),), bases=(transcript.write(tmp_path / "b.json"),),
    )  # fmt: skip
    found = Transcript.read(run(ENGINE, job).pins.with_name("transcript.json"))
    assert [w.text for w in found.segments[0].words] == ["we", "saw", "the", "young", "man", "by"]
    assert found.segments[0].words[3].start_ms == 1500
    assert found.segments[1] == second


def test_a_transcript_that_is_none_any_more_is_refused_with_its_place(tmp_path: Path) -> None:
    broken = tmp_path / "d.json"
    broken.write_text(a_transcript().as_text().replace('"start_ms": 500,', '"start_ms": "soon",'), encoding="utf-8")
    with pytest.raises(StageError, match=r"segments\.0\.words\.1\.start_ms") as caught:
        run(ENGINE, a_job(tmp_path, a_transcript(), corrections=(broken,)))
    assert caught.value.code == "correct.transcript"


def shown_to_who_does_not_hear(transcript: Transcript) -> list[Cue]:
    """Return the cues as subtitles of kind `sdh` show them: names, songs, two voices at once, and a sound."""
    first, second, third, fourth = cues_of(transcript)
    (one,), (two,) = first.lines, second.lines
    return [
        first.model_copy(update={"lines": (f"[Speaker 1] {one}",)}),
        second.model_copy(update={"lines": (f"-{two[:3]}", f"-{two[4:]}")}),
        Cue(
            start_ms=3_950,
            end_ms=4_300,
            lines=(
                "[river",
                "roars]",
            ),
        ),
        third.model_copy(update={"lines": with_notes(third.lines)}),
        fourth,
    ]


def test_marks_and_labels_of_subtitles_do_not_become_words() -> None:
    transcript = a_transcript()
    told = shown_to_who_does_not_hear(transcript)
    edited = [cue.model_copy(update={"end_ms": cue.end_ms + 1}) for cue in told]  # each one was touched
    assert words_of(apply(transcript, told, edited)) == words_of(transcript)
    named = [
        cue.model_copy(update={"lines": (cue.lines[0].replace("Speaker 1", "Ann"), *cue.lines[1:])}) for cue in told
    ]
    assert apply(transcript, told, named) == transcript


def test_a_sound_that_was_deleted_takes_no_word_along() -> None:
    transcript = a_transcript()
    told = shown_to_who_does_not_hear(transcript)
    assert apply(transcript, told, told[:2] + told[3:]) == transcript
    other = [*told[:2], told[2].model_copy(update={"lines": ("[thunder]",)}), *told[3:]]
    assert apply(transcript, told, other) == transcript


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("-5 degrees", "and falling"), "-5 degrees and falling"),
        (("-5 degrees?", "-Yes."), "5 degrees? Yes."),  # each line begins with the mark of a dialogue
        (("- Hello.",), "Hello."),
        (("\u2013 Hello.", "\u2013 You."), "Hello. You."),
        (("well-known", "-ish"), "well-known ish"),
        (("\u266a la la \u266a", "[door] who is it? [Ann]"), "la la who is it?"),
        (("[music]",), ""),
        ((), ""),
    ],
)
def test_what_a_cue_says_is_its_text_without_marks(lines: tuple[str, ...], said: str) -> None:
    assert " ".join(words_of_lines(lines).split()) == said


def corrected(transcript: Transcript, *corrections: Correction, translation: Translation | None = None) -> Corrected:
    return ENGINE.correct(transcript, translation, corrections)


def a_file(cues: Sequence[Cue]) -> ReadCues:
    return ReadCues(cues=tuple(cues))


def test_a_speaker_who_was_renamed_throughout_has_the_name_everywhere() -> None:
    transcript = a_transcript()
    base = [cue.model_copy(update={"speaker": "A"}) for cue in cues_of(transcript)]
    named = [cue.model_copy(update={"speaker": "Anna"}) for cue in base]
    other_labels = transcript.model_copy(
        update={"segments": tuple(_spoken_by(segment, "SPEAKER_01") for segment in transcript.segments)}
    )
    for heard, label in ((transcript, "A"), (other_labels, "SPEAKER_01")):
        found = corrected(heard, Correction(a_file(named), a_file(base)))
        assert {word.speaker for word in words_of(found.transcript)} == {"Anna"}
        assert {segment.speaker for segment in found.transcript.segments} == {"Anna"}
        assert found.renames == {label: "Anna"}
        assert [word.start_ms for word in words_of(found.transcript)] == [w.start_ms for w in words_of(transcript)]


def test_a_cue_that_was_given_to_another_speaker_takes_only_its_words_along() -> None:
    transcript = a_transcript()
    base = [cue.model_copy(update={"speaker": "A"}) for cue in cues_of(transcript)]
    mine = [base[0].model_copy(update={"speaker": "B"}), *base[1:]]
    found = corrected(transcript, Correction(a_file(mine), a_file(base)))
    assert [word.speaker for word in words_of(found.transcript)] == ["B"] * 4 + ["A"] * (len(SAID.split()) - 4)
    assert found.renames == {}


def test_a_rename_reaches_the_turns(tmp_path: Path) -> None:
    transcript = a_transcript()
    named = transcript.model_copy(update={"segments": tuple(_spoken_by(one, "Anna B") for one in transcript.segments)})
    rttm = tmp_path / "speakers.rttm"
    turns = (Turn(start_ms=0, end_ms=900, speaker="A"), Turn(start_ms=900, end_ms=1200, speaker="C"))
    rttm.write_text(to_rttm(turns, "film"), encoding="utf-8")
    job = a_job(
        tmp_path, transcript,
        corrections=(named.write(tmp_path / "d.json"),), bases=(transcript.write(tmp_path / "b.json"),),
    )  # fmt: skip
    job = replace(job, inputs=job.inputs.model_copy(update={"rttm": rttm}))
    outputs = run(ENGINE, job)
    assert outputs.rttm is not None
    assert [turn.speaker for turn in from_rttm(outputs.rttm.read_text(encoding="utf-8"))] == ["Anna_B", "C"]


def _spoken_by(segment: Segment, speaker: str) -> Segment:
    words = tuple(word.model_copy(update={"speaker": speaker}) for word in segment.words)
    return segment.model_copy(update={"speaker": speaker, "words": words})


def test_corrections_of_a_transcript_and_of_its_subtitles_apply_in_their_order() -> None:
    transcript = a_transcript()
    base = cues_of(transcript)
    moved = base[0].model_copy(update={"lines": ("we saw", "the young"), "start_ms": 50})
    cues = Correction(a_file([moved, *base[1:]]), a_file(base))
    known = corrected(transcript, cues).transcript
    segment = known.segments[0]
    later = known.model_copy(
        update={"segments": (segment.model_copy(update={"text": segment.text.replace("young", "frail")}),
                             *known.segments[1:])}
    )  # fmt: skip
    found = corrected(transcript, cues, Correction(later, known))
    assert "the frail man" in found.transcript.text
    pin = next(pin for pin in found.pins if pin.fixed)
    assert (pin.cues[0].lines, pin.cues[0].start_ms) == (("we saw", "the frail"), 50)
    heard_otherwise = a_transcript(SAID.replace("river", "lake"))
    again = corrected(heard_otherwise, cues, Correction(later, known)).transcript
    assert "the frail man by the lake" in " ".join(again.text.split())


def a_translation(transcript: Transcript) -> tuple[Translation, list[Cue]]:
    """Return a translation of two segments, and its subtitles: a cue for each."""
    texts = ("vimos o velho junto ao", "rio e depois fomos para casa")
    segments = tuple(TranslatedSegment(id=number, text=text) for number, text in enumerate(texts))
    cues = [
        Cue(start_ms=segment.start_ms, end_ms=segment.end_ms, lines=(text,))
        for segment, text in zip(transcript.segments, texts, strict=True)
    ]
    return Translation(source="en", target="pt", segments=segments), cues


def test_a_corrected_translation_corrects_its_sentence_and_is_flagged_when_its_source_changes() -> None:
    transcript = a_transcript()
    translation, cues = a_translation(transcript)
    mine = [cues[0].model_copy(update={"lines": ("vimos o jovem junto ao",)}), cues[1]]
    correction = Correction(a_file(mine), a_file(cues), transcript)
    found = corrected(transcript, correction, translation=translation)
    assert found.translation is not None
    assert [one.text for one in found.translation.segments] == ["vimos o jovem junto ao", translation.segments[1].text]
    assert [(pin.source, pin.source_now) for pin in found.pins] == [(transcript.segments[0].text, None)]
    changed = a_transcript(SAID.replace("old", "young"))
    (pin,) = corrected(changed, correction, translation=translation).pins
    assert pin.source_now == changed.segments[0].text
    elsewhere = a_transcript(SAID.replace("home", "away"))
    (pin,) = corrected(elsewhere, correction, translation=translation).pins
    assert pin.source_now is None


def test_a_single_correction_is_left_out_by_its_id() -> None:
    transcript = a_transcript()
    base = cues_of(transcript)
    mine = with_text(with_text(base, 0, "we saw the young"), 2, "river but then we")
    both = ENGINE.correct(transcript, None, [Correction(a_file(mine), a_file(base))])
    first, second = both.pins
    left = ENGINE.correct(transcript, None, [Correction(a_file(mine), a_file(base))], {first.id})
    assert [pin.id for pin in left.pins] == [second.id]
    assert "old man by" in left.transcript.text
    assert "but" in left.transcript.text


@pytest.mark.parametrize(
    ("lines", "words", "wanted"),
    [
        (("we saw the", "old man"), "we saw the frail man", ("we saw the", "frail man")),
        (("-We saw.", "-An old man?"), "We saw! An old dog?", ("-We saw!", "-An old dog?")),
        (("[door] we saw", "the man"), "we never saw the man", ("[door] we never saw", "the man")),
        (("we saw", "it"), "then we saw", ("then we saw",)),
        (("世界", "人間"), "世界 人間", ("世界", "人間")),
        (("[music]",), "la la", ("[music]",)),
    ],
)
def test_a_fixed_cue_takes_the_words_of_a_later_correction_into_its_lines(
    lines: tuple[str, ...], words: str, wanted: tuple[str, ...]
) -> None:
    assert reword(lines, words.split()) == wanted
