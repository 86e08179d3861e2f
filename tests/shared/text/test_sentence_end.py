"""Where a sentence ends, as far as a word with its marks can tell."""

from __future__ import annotations

import pytest

from shared.text.sentence_end import ends_sentence


@pytest.mark.parametrize(
    "word",
    ["are.", "you?", "me.", "I.", "no!", "well...", "so…", 'said."', "end.)", "है।", "です。", "reel.org.", "1999."],
)
def test_a_sentence_ends_with(word: str) -> None:
    assert ends_sentence(word)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "are",
        "are,",
        "Mr.",
        "“Dr.",
        "J.",
        "Ё.",
        "e.g.",
        "z.B.",
        "p.m.",
        "bzw.",
        "Sra.",
        "Ph.D.",
        "M.",
        "Mme.",
        "डॉ.",
    ],
)
def test_no_sentence_ends_with(word: str) -> None:
    assert not ends_sentence(word)
