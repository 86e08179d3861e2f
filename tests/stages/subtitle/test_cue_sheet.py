"""Songs, labels, names and numbers in subtitles."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan.language_tables import load_languages
from shared.documents.cue import Cue, CueSheet
from shared.documents.removals import Label, Labels
from shared.documents.transcript import Segment, Transcript
from shared.stage import Job
from shared.text.guide_limits import GuideParams
from shared.text.text_width import places
from stages.subtitle.cue_sheet import make_cues
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.stage import LayoutOptions, Songs, SubtitleInputs, SubtitleParams, run
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.writer import render
from tests.conftest import ROOT, examples
from tests.fakes.listener import Audience
from tests.stages.subtitle.test_stage import talk, transcripts

LIMITS = GuideParams(reading_speed=20.0).limits("en", 25.0)
NOTE = "\u266a"
LANGUAGES = load_languages(ROOT / "config" / "languages")
NUMBERS = SubtitleParams.model_validate({"number_words": LANGUAGES["number_words"]}).number_words["en"]


def said(text: str, start_ms: int, *, sung: bool = False, speaker: str | None = None) -> Segment:
    words = tuple(talk(text, start_ms=start_ms, speaker=speaker))
    return Segment(
        id=0, text=text, start_ms=start_ms, end_ms=words[-1].end_ms, words=words, sung=sung, speaker=speaker
    )  # fmt: skip


def transcript_of(*segments: Segment) -> Transcript:
    return Transcript(language="en", language_probability=1.0, duration_ms=60_000, segments=segments)


SONG = said("Daisy, Daisy, give me your answer, do. I'm half crazy, all for the love of you.", 10_000, sung=True)
FILM = transcript_of(said("She will sing now.", 5_000), SONG, said("That was nice.", 20_000))


def lines(transcript: Transcript, options: LayoutOptions) -> list[tuple[str, ...]]:
    return [cue.lines for cue in make_cues(transcript, None, LIMITS, options)]


def test_a_song_stands_between_notes_within_the_line() -> None:
    cues = make_cues(FILM, None, LIMITS, LayoutOptions(songs="mark"))
    song = cues[1:-1]
    assert len(song) > 1
    assert all(cue.lines[0].startswith(f"{NOTE} ") and cue.lines[-1].endswith(f" {NOTE}") for cue in song)
    assert all(places(line) <= LIMITS.line_length for cue in song for line in cue.lines)
    assert not any(NOTE in line for cue in (cues[0], cues[-1]) for line in cue.lines)


@pytest.mark.parametrize(("songs", "italic", "count"), [("skip", 0, 2), ("keep", 0, 4), ("italic", 2, 4)])
def test_a_song_is_left_out_kept_or_slanted_by_choice(songs: Songs, italic: int, count: int) -> None:
    cues = make_cues(FILM, None, LIMITS, LayoutOptions(songs=songs))
    assert (sum(cue.italic for cue in cues), len(cues)) == (italic, count)


@pytest.mark.parametrize(
    ("kind", "found"),
    [("srt", "<i>La la</i>"), ("vtt", "<i>La la</i>"), ("ass", r"{\i1}La la{\i0}"), ("ttml", 'fontStyle="italic"')],
)
def test_every_format_that_can_slants_a_song_and_is_read_again(kind: str, found: str, tmp_path: Path) -> None:
    cue = Cue(start_ms=0, end_ms=2_000, lines=("La la",), italic=True)
    text = render(CueSheet(language="en", cues=(cue,)), kind)
    assert found in text
    (tmp_path / f"song.{kind}").write_text(text, encoding="utf-8")
    assert read(tmp_path / f"song.{kind}").cues[0].lines == ("La la",)


def test_viewers_who_do_not_hear_are_told_of_music_and_of_who_speaks() -> None:
    transcript = transcript_of(
        said("Who is there?", 5_000, speaker="SPEAKER_00"), said("It is me.", 9_000, speaker="Anna"),
        said("And you are late.", 12_000, speaker="Anna"),
    )  # fmt: skip
    labels = (Label(start_ms=0, end_ms=4_500, heard="music"),
              Label(start_ms=8_000, end_ms=8_500, heard="described", text="door slams"))  # fmt: skip
    assert lines(transcript, LayoutOptions(labels=labels, music="music", speaker="Speaker")) == [
        ("[music]",), ("[Speaker 1] Who is there?",), ("[door slams]",), ("[Anna] It is me.",), ("And you are late.",),
    ]  # fmt: skip


def test_one_speaker_alone_is_not_named() -> None:
    transcript = transcript_of(said("Who is there?", 5_000, speaker="SPEAKER_00"))
    assert lines(transcript, LayoutOptions(speaker="Speaker")) == [("Who is there?",)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I have 3 sisters.", "I have three sisters."), ("He ran 3 km there.", "He ran 3 km there."),
        ("See you at 3.", "See you at 3."), ("He lives in room 7 now.", "He lives in room seven now."),
        ("He lives in Room 7 now.", "He lives in Room 7 now."), ("It was 2 or 3 people.", "It was 2 or 3 people."),
        ("3 people came.", "3 people came."), ("It took 11 years.", "It took 11 years."),
        ("It took 007 years.", "It took 007 years."), ("On May 3 people met.", "On May 3 people met."),
    ],
)  # fmt: skip
def test_a_small_number_that_counts_is_written_out_and_no_other(before: str, after: str) -> None:
    assert " ".join(lines(transcript_of(said(before, 0)), LayoutOptions(numbers=NUMBERS))[0]) == after
    assert " ".join(lines(transcript_of(said(before, 0)), LayoutOptions())[0]) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1, 2, 3, 4.", "One, two, three, four."),
        ("Now count: 8 9 10.", "Now count: eight nine ten."),
        ("We start in 3, 2, 1.", "We start in three, two, one."),
        ("It ended 1, 2.", "It ended 1, 2."),
        ("Lines 9, 10, 11.", "Lines 9, 10, 11."),
        ("The code is 4 4 5 6 2.", "The code is 4 4 5 6 2."),
    ],
)
def test_numbers_that_are_counted_aloud_are_words(before: str, after: str) -> None:
    assert " ".join(lines(transcript_of(said(before, 0)), LayoutOptions(numbers=NUMBERS))[0]) == after


@st.composite
def films(draw: st.DrawFn) -> Transcript:
    transcript = draw(transcripts())
    segments = tuple(one.model_copy(update={"sung": draw(st.booleans())}) for one in transcript.segments)
    return transcript.model_copy(update={"segments": segments})


_LABELS = st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 9_000), st.text(max_size=50)), max_size=5)


@examples(2)
@given(films(), _LABELS, st.sampled_from(["mark", "italic", "keep", "skip"]))
def test_whatever_is_shown_is_in_order_inside_the_film_and_within_its_lines(
    transcript: Transcript, heard: list[tuple[int, int, str]], songs: Songs
) -> None:
    labels = [Label(start_ms=at, end_ms=at + long, heard="described", text=text) for at, long, text in heard]
    cues = make_cues(
        transcript, None, LIMITS, LayoutOptions(songs=songs, labels=labels, speaker="Speaker", numbers=NUMBERS)
    )
    end_ms = max(transcript.duration_ms, len(cues))
    assert all(0 <= cue.start_ms < cue.end_ms <= end_ms for cue in cues)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(cues))
    assert all(1 <= len(cue.lines) <= LIMITS.lines for cue in cues)
    assert all(places(line) <= LIMITS.line_length for cue in cues for line in cue.lines)


def test_only_the_kind_for_hearing_impaired_viewers_has_labels(tmp_path: Path) -> None:
    labels = Labels(labels=(Label(start_ms=0, end_ms=4_000, heard="music"),)).write(tmp_path / "labels.json")
    transcript = transcript_of(said("Wer ist da?", 5_000)).model_copy(update={"language": "de"})
    inputs = SubtitleInputs(transcript=transcript.write(tmp_path / "transcript.json"), labels=labels)
    shown = []
    for kind in ("sdh", "full"):
        params = SubtitleParams.model_validate({"kind": kind, "label_words": LANGUAGES["label_words"]})
        (folder := tmp_path / kind).mkdir()
        sheet = CueSheet.read(run(LayoutEngine(), Job(inputs, params, folder, "pysubs2", Audience())).cues)
        shown.append([cue.lines[0] for cue in sheet.cues])
    assert shown == [["[Musik]", "Wer ist da?"], ["Wer ist da?"]]
