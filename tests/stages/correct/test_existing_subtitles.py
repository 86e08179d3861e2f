"""Corrections of an existing subtitle: its cues stay as the user wrote them, and names and sounds are no words."""

from __future__ import annotations

from shared.documents.cue import Cue, ReadCues
from shared.documents.transcript import Segment, Transcript
from stages.correct.corrections import Corrections
from stages.correct.stage import Correction


def _cue(start_ms: int, text: str) -> Cue:
    return Cue(start_ms=start_ms, end_ms=start_ms + 2000, lines=tuple(text.split("\n")))


def test_names_and_sounds_stay_in_the_cue_and_only_words_go_into_the_text() -> None:
    base = (_cue(0, "JOHN: I think that\nwe should go."), _cue(3000, "[bang] Who is it?"), _cue(6000, "It is me."))
    edited = (_cue(0, "MARY: I really think that\nwe should go."), _cue(3000, "[loud bang] Who is that?"), base[2])
    said = ("I think that we should go.", "Who is it?", "It is me.")
    segments = tuple(
        Segment(id=number, text=text, start_ms=3000 * number, end_ms=3000 * number + 2000, origin="read")
        for number, text in enumerate(said)
    )
    transcript = Transcript(language="en", language_probability=1.0, duration_ms=8000, segments=segments)
    correction = Correction(ReadCues(cues=edited, format="srt"), ReadCues(cues=base, format="srt"))
    made = Corrections().correct(transcript, None, [correction])
    assert [one.text for one in made.transcript.segments] == [
        "I really think that we should go.", "Who is that?", "It is me."
    ]  # fmt: skip
    assert [[cue.lines for cue in pin.cues] for pin in made.pins] == [[edited[0].lines], [edited[1].lines]]
    assert all(pin.fixed for pin in made.pins)
