"""Stage `assemble` makes a transcript of cues: what is said, when, by whom; on request also of what was heard."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet, KeptCues, Place
from shared.documents.transcript import Segment, Transcript
from shared.stage import Job
from stages.assemble.parts import CueParts
from stages.assemble.stage import AssembleInputs, AssembleParams, run, stub
from tests.fakes.listener import Audience


def _sheet(*cues: tuple[int, int, str], kind: str = "full") -> CueSheet:
    made = [Cue(start_ms=start, end_ms=end, lines=tuple(text.split("\n")) if text else ()) for start, end, text in cues]
    return CueSheet.model_validate({"language": "en", "kind": kind, "cues": made})


def _heard(*segments: tuple[int, int, str]) -> Transcript:
    made = [
        Segment(id=number, text=text, start_ms=start, end_ms=end) for number, (start, end, text) in enumerate(segments)
    ]
    return Transcript(language="en", language_probability=0.9, duration_ms=60_000, segments=tuple(made))


def _assembled(
    folder: Path, sheet: CueSheet, heard: Transcript | None = None, *, fits: bool = True, fill: bool = False
) -> tuple[Transcript, KeptCues | None]:
    subtitle = sheet.write(folder / "sheet.json")
    inputs = AssembleInputs(
        subtitle=subtitle,
        cues=subtitle if fits else None,
        heard=heard.write(folder / "heard.json") if heard else None,
    )
    outputs = run(CueParts(), Job(inputs, AssembleParams(fill=fill), folder, "parts", Audience()))
    return Transcript.read(outputs.transcript), KeptCues.read(outputs.kept) if outputs.kept else None


def test_what_is_said_becomes_segments_and_sounds_stay_in_their_cues(tmp_path: Path) -> None:
    sheet = _sheet((0, 1000, "[door slams]"), (2000, 4000, "JOHN: Who is\nthere?"), (5000, 7000, "- Me.\n- Who?"))
    transcript, kept = _assembled(tmp_path, sheet)
    assert [(one.text, one.start_ms, one.end_ms, one.speaker) for one in transcript.segments] == [
        ("Who is there?", 2000, 4000, "JOHN"), ("Me.", 5000, 5857, None), ("Who?", 5857, 7000, None)
    ]  # fmt: skip
    assert {one.origin for one in transcript.segments} == {"read"}
    assert kept
    assert [one.segments for one in kept.cues] == [(), (0,), (1, 2)]
    assert [one.cue for one in kept.cues] == list(sheet.cues)


def test_a_song_is_marked_as_sung(tmp_path: Path) -> None:
    transcript, _ = _assembled(tmp_path, _sheet((0, 1000, "\u266a La la \u266a"), (2000, 3000, "Hello.")))
    assert [one.sung for one in transcript.segments] == [True, False]


def test_a_named_speaker_goes_on_until_the_sentence_ends(tmp_path: Path) -> None:
    sheet = _sheet((0, 1000, "JOHN: I think that"), (1100, 2000, "it is late."), (2100, 3000, "So be it."))
    transcript, _ = _assembled(tmp_path, sheet)
    assert [one.speaker for one in transcript.segments] == ["JOHN", "JOHN", None]


def test_a_sign_is_not_said_by_whoever_speaks_before_it(tmp_path: Path) -> None:
    sign = Cue(start_ms=900, end_ms=1500, lines=("HOTEL",), place=Place(anchor=8, at=(5000, 1000)))
    sheet = _sheet((0, 1000, "JOHN: I think that"), (1100, 2000, "it is late."))
    sheet = sheet.model_copy(update={"cues": (sheet.cues[0], sign, sheet.cues[1])})
    transcript, _ = _assembled(tmp_path, sheet)
    assert transcript.segments[1].speaker == "sign"
    assert transcript.segments[2].speaker is None


def test_what_was_heard_is_the_transcript_where_the_subtitle_does_not_fit(tmp_path: Path) -> None:
    heard = _heard((0, 1000, "Something else."))
    assert _assembled(tmp_path, _sheet((0, 1000, "Hello.")), heard, fits=False) == (heard, None)


def test_what_was_heard_is_the_transcript_where_the_subtitle_could_not_be_read(tmp_path: Path) -> None:
    heard = _heard((0, 1000, "Something else."))
    assert _assembled(tmp_path, _sheet(), heard) == (heard, None)


def test_speech_without_a_cue_is_filled_in_only_on_request_and_is_marked(tmp_path: Path) -> None:
    sheet = _sheet((0, 2000, "First."), (8000, 9000, "Last."), (9500, 9900, "[bang]"))
    heard = _heard((100, 1900, "first"), (4000, 6000, "In between."), (9500, 9800, "After."))
    transcript, _ = _assembled(tmp_path, sheet, heard)
    assert [one.text for one in transcript.segments] == ["First.", "Last."]
    transcript, kept = _assembled(tmp_path, sheet, heard, fill=True)
    assert [(one.id, one.text, one.origin) for one in transcript.segments] == [
        (0, "First.", "read"), (1, "In between.", "heard"), (2, "Last.", "read"), (3, "After.", "heard")
    ]  # fmt: skip
    assert kept
    assert [one.segments for one in kept.cues] == [(0,), (2,), ()]


_TEXT = st.lists(st.text(alphabet="abcA .,-\u266a[]()", max_size=12), max_size=3).map("\n".join)
_CUES = st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 4_000), _TEXT), max_size=8)


@given(_CUES)
def test_no_cue_is_lost_and_the_segments_are_numbered_in_the_order_of_the_cues(
    cues: list[tuple[int, int, str]],
) -> None:
    sheet = _sheet(*((start, start + length, text) for start, length, text in sorted(cues)))
    kept, segments = CueParts().segments_of(sheet)
    assert tuple(one.cue for one in kept.cues) == sheet.cues
    assert [number for one in kept.cues for number in one.segments] == [one.id for one in segments]
    assert [one.id for one in segments] == list(range(len(segments)))
    for one in kept.cues:
        for number in one.segments:
            assert one.cue.start_ms <= segments[number].start_ms <= segments[number].end_ms <= one.cue.end_ms


def test_the_placeholder_has_a_segment_for_each_cue(tmp_path: Path) -> None:
    subtitle = _sheet((0, 1000, "Hello.")).write(tmp_path / "sheet.json")
    outputs = stub(Job(AssembleInputs(subtitle=subtitle), AssembleParams(), tmp_path, "stub", Audience()))
    assert [one.text for one in Transcript.read(outputs.transcript).segments] == ["Hello."]
