"""Stage `translate` with the real models."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import StageRefused
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import Translation
from tests.real.conftest import Stages


def a_transcript(folder: Path, language: str, *texts: str) -> Path:
    segments = tuple(
        Segment(id=index, text=text, start_ms=index * 4_000, end_ms=index * 4_000 + 4_000)
        for index, text in enumerate(texts)
    )
    transcript = Transcript(language=language, language_probability=1, duration_ms=40_000, segments=segments)
    return transcript.write(folder / "transcript.json")


def test_whisper_gives_every_segment_its_english_text(
    run_stage: Stages, speech_clip: Path, speech_regions: Path, tmp_path: Path
) -> None:
    """No other language is spoken in the sample, so Whisper is told that its English is Spanish."""
    heard = Transcript.read(run_stage("asr", {"audio": speech_clip, "speech": speech_regions}).file("transcript"))
    spanish = heard.model_copy(update={"language": "es"}).write(tmp_path / "transcript.json")
    done = run_stage("translate", {"audio": speech_clip, "transcript": spanish}, {"target": "en"}, "whisper")
    translation = Translation.read(done.file("translation"))
    assert [one.id for one in translation.segments] == [one.id for one in heard.segments]
    assert all(one.text for one in translation.segments)
    assert "popcorn" in " ".join(one.text for one in translation.segments)


@pytest.mark.parametrize(
    ("source", "target", "text", "expected"),
    [
        ("en", "pt", "The chairs are in place, and the popcorn is still warm.", "no lugar"),
        ("pt-BR", "en", "O computador ouviu o filme e escreveu as palavras.", "The computer"),
    ],
)
def test_bergamot_translates_both_ways(
    run_stage: Stages, speech_clip: Path, tmp_path: Path, source: str, target: str, text: str, expected: str
) -> None:
    inputs = {"audio": speech_clip, "transcript": a_transcript(tmp_path, source, text, text)}
    done = run_stage("translate", inputs, {"target": target}, "bergamot")
    first, second = Translation.read(done.file("translation")).segments
    assert expected in first.text
    assert first.text == second.text


def test_a_pair_that_the_backend_does_not_do_is_refused_by_name(
    run_stage: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    inputs = {"audio": speech_clip, "transcript": a_transcript(tmp_path, "en", "Good evening.")}
    with pytest.raises(StageRefused) as refusal:
        run_stage("translate", inputs, {"target": "hi"}, "whisper")
    assert refusal.value.code == "translate.pair"
    assert "English (en) to Hindi (hi)" in refusal.value.message


def test_a_sentence_over_segments_is_translated_as_one_and_shared_out(
    run_stage: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    said = ("Tonight we will watch a film about a rabbit", "who is very big and very kind.", "He eats", "popcorn.")
    inputs = {"audio": speech_clip, "transcript": a_transcript(tmp_path, "en", *said)}
    done = run_stage("translate", inputs, {"target": "pt"}, "bergamot")
    texts = [segment.text for segment in Translation.read(done.file("translation")).segments]
    assert len(texts) == len(said)
    assert all(texts)
    whole = " ".join(texts).lower()
    assert "coelho" in texts[0] + texts[1]
    assert "grande" in texts[1]
    assert "filme" in texts[0]
    assert whole.count("coelho") == 1
    assert texts[3].rstrip(".").lower() in {"pipoca", "pipocas"}


def test_terms_of_a_glossary_come_through_in_sentences_that_make_sense(
    run_stage: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    said = ("Last night Big Buck Bunny came home", "with two friends. The popcorn", "is still warm.")
    table = tmp_path / "terms.tsv"
    table.write_text("source\tpt\nBig Buck Bunny\t\npopcorn\tmilho estourado\n", encoding="utf-8")
    inputs = {"audio": speech_clip, "transcript": a_transcript(tmp_path, "en", *said), "glossary": table}
    done = run_stage("translate", inputs, {"target": "pt"}, "bergamot")
    text = " ".join(segment.text for segment in Translation.read(done.file("translation")).segments)
    assert "Big Buck Bunny" in text
    assert "milho estourado" in text
    assert "amigos" in text
    assert (done.facts["terms_met"], done.facts["terms_kept"]) == (2, 2)
    assert done.warnings == []
