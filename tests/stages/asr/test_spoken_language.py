"""The spoken languages are identified by stretches all over a recording."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import Region
from stages.asr.spoken_language import Identify, Pack, Rules, survey


def regions(*spans: tuple[int, int]) -> Pack:
    return tuple(Region(start_ms=start, end_ms=end) for start, end in spans)


def listening(*spoken: tuple[int, str, float]) -> Identify:
    """Hears each language until its time, with its probability; of a mixture, what most of it is in."""

    def identify(pack: Pack) -> dict[str, float]:
        heard: dict[str, float] = {}
        begin = 0
        total = sum(one.end_ms - one.start_ms for one in pack)
        for end, tag, likely in spoken:
            for one in pack:
                inside = max(0, min(one.end_ms, end) - max(one.start_ms, begin))
                heard[tag] = heard.get(tag, 0) + likely * inside / total
            begin = end
        return {tag: likely for tag, likely in heard.items() if likely}

    return identify


def spoken(packs: Sequence[Pack], identify: Identify, rules: Rules | None = None) -> list[tuple[str, int, int]]:
    found = survey(packs, [one for pack in packs for one in pack], identify, rules or Rules())
    assert found is not None
    return [(tag, pack[0].start_ms, pack[-1].end_ms) for tag, pack in found.passages]


FILM = (regions((0, 12_000), (20_000, 45_000), (50_000, 70_000)), regions((80_000, 95_000), (100_000, 130_000)))


def test_most_of_the_speech_decides() -> None:
    found = survey(FILM, (), listening((12_000, "es", 0.95), (200_000, "en", 0.9)), Rules())
    assert found is not None
    assert (found.language, found.foreign()) == ("en", (("es", Region(start_ms=0, end_ms=12_000)),))
    assert found.probability == pytest.approx(0.9)


@pytest.mark.parametrize("likely", [0.3, 0.79])
def test_a_stretch_that_may_be_in_the_main_language_is(likely: float) -> None:
    assert {tag for tag, _, _ in spoken(FILM, listening((12_000, "es", likely), (200_000, "en", 0.9)))} == {"en"}


def test_a_short_stretch_is_in_the_main_language() -> None:
    packs = (regions((0, 3_000), (20_000, 45_000)),)
    identify = listening((3_000, "es", 0.99), (200_000, "en", 0.9))
    assert spoken(packs, identify) == [("en", 0, 45_000)]
    assert spoken(packs, identify, Rules(0.6, 0)) == [("es", 0, 3_000), ("en", 20_000, 45_000)]


def test_where_all_is_short_it_is_heard_together() -> None:
    assert spoken((regions((0, 2_000), (4_000, 5_000)),), listening((9_000, "hi", 0.4))) == [("hi", 0, 5_000)]


def test_the_runner_up_is_told() -> None:
    found = survey(FILM, (), lambda pack: {"hi": 0.5, "ur": 0.4, "en": 0.1}, Rules())
    assert found is not None
    assert found.second is not None
    assert (found.language, found.second[0]) == ("hi", "ur")
    assert found.second[1] == pytest.approx(0.4)


def test_a_recogniser_that_reports_none_gives_none() -> None:
    assert survey(FILM, (), lambda pack: {}, Rules()) is None
    assert survey((regions((0, 900)),), (), lambda pack: {}, Rules()) is None


def test_the_wanted_language_is_the_main_one() -> None:
    found = survey(FILM, (), listening((70_000, "es", 0.9), (200_000, "en", 0.9)), Rules(), requested="en-GB")
    assert found is not None
    assert (found.language, [tag for tag, _ in found.passages]) == ("en-GB", ["es", "en-GB"])


@given(st.lists(st.integers(1_000, 6_000), min_size=6, max_size=12), st.data())
def test_a_change_of_language_inside_a_stretch_is_found_at_a_pause(lengths: list[int], data: st.DataObject) -> None:
    spans, at = [], 0
    for length in lengths:
        spans.append((at, at + length))
        at += length + 400
    stretch = Region(start_ms=0, end_ms=at)
    inner = [end + 200 for _, end in spans if 11_000 < end < at - 11_000]
    if at < 24_000 or not inner:
        return
    change = data.draw(st.sampled_from(inner))
    after = (Region(start_ms=at + 5_000, end_ms=2 * at + 40_000),)
    identify = listening((change, "es", 0.95), (10 * at + 90_000, "en", 0.95))
    found = survey(((stretch,), after), [*regions(*spans), *after], identify, Rules())
    assert found is not None
    assert found.language == "en"
    assert found.foreign() == (("es", Region(start_ms=0, end_ms=change)),)


@given(
    st.lists(st.tuples(st.integers(500, 5_000), st.integers(500, 29_000)), min_size=1, max_size=10),
    st.lists(st.tuples(st.integers(0, 200_000), st.sampled_from(["en", "es"]), st.floats(0.1, 1)), min_size=1),
)
def test_no_speech_is_lost_or_decoded_twice(
    parts: list[tuple[int, int]], languages: list[tuple[int, str, float]]
) -> None:
    spans, at = [], 0
    for gap, length in parts:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    pack = regions(*spans)
    found = survey((pack,), pack, listening(*sorted(languages), (10**9, "hi", 0.5)), Rules())
    assert found is not None
    heard = [(one.start_ms, one.end_ms) for _, passage in found.passages for one in passage]
    assert heard == sorted(heard)
    assert sum(end - start for start, end in heard) == sum(end - start for start, end in spans)
