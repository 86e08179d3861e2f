"""Thai has no spaces between words: lines end between phrases, and nowhere that its script forbids."""

from __future__ import annotations

import pytest

from shared.documents.transcript import Segment, Transcript, Word
from shared.text.guide_limits import GuideParams
from shared.text.text_width import places
from tests.stages.subtitle.test_stage import ENGINE, a_word, shown, talk

THAI = "สวัสดีครับ ผมชื่อราม ผมอาศัยอยู่ที่กรุงเทพมหานคร วันนี้อากาศดีมากจริงๆ ไปเดินเล่นกันเถอะ"
NO_SPACES = "พรุ่งนี้เช้าแปดโมงพบกันที่สถานีรถไฟได้ไหมครับเพราะว่าฉันต้องการไปเชียงใหม่กับคุณแม่และคุณพ่อ"


@pytest.mark.parametrize("end_ms", [4000, 5000, 9000])
def test_thai_breaks_between_phrases_and_not_inside_a_word(end_ms: int) -> None:
    segment = Segment(id=0, text=THAI, start_ms=0, end_ms=end_ms, words=())
    transcript = Transcript(language="th", language_probability=1.0, duration_ms=60_000, segments=(segment,))
    limits = GuideParams(line_length=35).limits("th", 25.0)
    laid = ENGINE.lay_out(transcript, None, limits).cues
    assert " ".join(line for cue in laid for line in cue.lines) == THAI
    assert all(places(line) <= 35 for cue in laid for line in cue.lines)


@pytest.mark.parametrize("words", [(a_word(NO_SPACES, 0, 6000),), tuple(talk(NO_SPACES))])
def test_a_thai_word_that_is_wider_than_a_line_is_broken_as_its_script_allows(words: tuple[Word, ...]) -> None:
    lines = [
        line for cue in shown(*words, language="th", limits=GuideParams(line_length=35).limits("th")) for line in cue
    ]
    assert "".join(lines) == NO_SPACES
    assert not any(line[-1] in "เแโใไ" for line in lines), "these are written before their consonant"
    assert all(line[0] in "เแโใไ" for line in lines[1:]), "where a syllable begins for certain"
