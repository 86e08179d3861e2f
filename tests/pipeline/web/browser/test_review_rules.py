"""The rules that the review page applies are those of the stages: widths, limits, splits and merged changes.

They run in the browser that shows the page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from shared.documents.cue import Cue
from shared.text.guide_limits import GuideParams
from shared.text.text_width import places
from stages.toolkit.cues.rules import check
from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # they start a browser

LIMITS = GuideParams().limits("en", 25.0)
TEXTS = (
    "Hello.", "Wir fahren über die Brücke.", "你好，世界", "これはテスト。", "안녕하세요", "नमस्ते दुनिया",
    "مرحبا، Reel 2.0", "e\u0301te\u0301", "\U0001f469\u200d\U0001f469\u200d\U0001f467 ok",
    "\u2764\ufe0f", "\u200fשלום\u200e 12", "ｆｕｌｌ", "a\u00adb", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return an empty page that can import the modules: pure ones need no server."""
    opened = browser.new_page()

    def answer(route: Route) -> None:
        path = ROOT / "pipeline" / "web" / urlsplit(route.request.url).path.removeprefix("/")
        if path.suffix == ".js":
            route.fulfill(body=path.read_text(encoding="utf-8"), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>empty</title>", content_type="text/html")

    opened.route("**/*", answer)
    opened.goto("http://modules.test/")
    yield opened
    opened.close()


def call(page: Page, module: str, body: str, argument: Any) -> Any:
    """Return what a function body makes of `argument`, with the module of the page as `module`."""
    script = f"async (argument) => {{ const module = await import('/static/review/{module}.js'); {body} }}"
    return page.evaluate(script, argument)


def some_cues(seed: int) -> list[Cue]:
    """Return cues in order of time, some of which break limits."""
    dice = random.Random(seed)
    found, now = [], 0
    for _ in range(40):
        length = dice.choice((40, 600, 834, 1500, 2500, 8000))
        lines = tuple(dice.choice(TEXTS) * dice.randint(0, 6) for _ in range(dice.randint(1, 3)))
        found.append(Cue(start_ms=now, end_ms=now + length, lines=lines))
        now += length + dice.choice((-20, 0, 40, 80, 81, 600))
        now = max(now, found[-1].start_ms + 1)
    return found


def test_widths_are_those_of_the_layout(page: Page) -> None:
    found = call(page, "rules/text_width", "return argument.map(module.places)", [*TEXTS])
    assert found == [places(text) for text in TEXTS]


@pytest.mark.parametrize("seed", range(3))
def test_limits_are_those_of_the_check(page: Page, seed: int) -> None:
    cues = some_cues(seed)
    report = check(cues, "en", LIMITS, worst=None)
    expected = sorted(
        (one.start_ms, broken.rule) for broken in report.broken if broken.severity == "error" for one in broken.worst
    )
    shown = [cue.model_dump(mode="json") for cue in cues]
    limits = {name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__}
    body = """
      const [cues, limits] = argument;
      return cues.flatMap((cue, place) => module.brokenRules(cue, cues[place + 1] ?? null, limits)
        .map((one) => [cue.start_ms, one.rule]));
    """
    assert sorted(map(tuple, call(page, "rules/limits", body, [shown, limits]))) == expected


def test_a_time_moves_to_a_shot_change_within_the_zone_only(page: Page) -> None:
    body = "return argument.map((time) => module.snapped(time, [1000, 5000], 300))"
    assert call(page, "rules/limits", body, [690, 700, 1299, 1301, 4800, 9000]) == [690, 1000, 1000, 1301, 5000, 9000]


def test_changes_of_two_people_are_merged_where_they_can_be(page: Page) -> None:
    body = """
      const { Draft } = await import('/static/review/rules/draft.js');
      const cue = (lines, more = {}) => ({ start_ms: 0, end_ms: 1000, lines, speaker: null, ...more });
      const theirs = new Draft([['en/1', cue(['a'], { end_ms: 1200 })], ['en/2', cue(['theirs'])]], 'en');
      const op = (id, before) => ({ id, before: cue([before]), after: cue(['mine']) });
      const ops = [op('en/1', 'a'), op('en/2', 'b')];
      const { batches, conflicts } = module.rebase(theirs, [{ batch: 'x', ops }]);
      const texts = conflicts.map((one) => [one.mine.lines, one.theirs.lines]);
      return [theirs.cue('en/1'), batches[0].ops.map((one) => one.id), texts];
    """
    merged, sent, conflicts = call(page, "rules/rebase", body, None)
    assert (merged["lines"], merged["end_ms"]) == (["mine"], 1200)
    assert sent == ["en/1"]
    assert conflicts == [[["mine"], ["theirs"]]]


def test_a_split_keeps_the_first_id_and_begins_where_the_word_is_heard(page: Page) -> None:
    body = """
      const { Draft } = await import('/static/review/rules/draft.js');
      const cue = { start_ms: 0, end_ms: 4000, lines: ['One two', 'three four'], speaker: 'A' };
      const words = ['One', 'two', 'three', 'four'].map((text, n) => (
        { text, start_ms: n * 1000, end_ms: n * 1000 + 900, probability: 1 }
      ));
      const draft = new Draft([['en/1', cue]], 'en');
      const operations = module.split(draft, 'en/1', 8, null, words);
      draft.apply(operations);
      const parts = [...draft].map(([, one]) => [one.start_ms, one.end_ms, one.lines, one.speaker]);
      draft.apply(module.merge(draft, 'en/1', 2));
      return [operations[0].id, parts, [...draft].map(([id, one]) => [id, one.start_ms, one.end_ms, one.lines])];
    """
    first, parts, merged = call(page, "rules/changes", body, None)
    assert first == "en/1"
    assert parts == [[0, 2000, ["One two"], "A"], [2000, 4000, ["three four"], "A"]]
    assert merged == [["en/1", 0, 4000, ["One two", "three four"]]]


CORRECTIONS = (
    ("We met Marta.", "We met Martha.", {"from": "Marta", "to": "Martha"}),
    ("the big buck bunny runs", "the Big Buck Bunny runs", {"from": "big buck bunny", "to": "Big Buck Bunny"}),
    ("Hello there", "Hello there you", None),
    ("a b c", "a b c", None),
)


@pytest.mark.parametrize(("before", "after", "expected"), CORRECTIONS)
def test_what_a_correction_replaced_is_found(page: Page, before: str, after: str, expected: object) -> None:
    assert call(page, "dialogs/replace", "return module.correctionOf(...argument)", [before, after]) == expected


def test_typed_times_are_read_and_written_alike(page: Page) -> None:
    body = "return argument.map(module.parseClock).map((ms) => [ms, ms === null ? '' : module.clock(ms)])"
    assert call(page, "rules/clock", body, ["83.5", "1:23,5", "1:02:03.456", "soon", "1:2:3:4"]) == [
        [83_500, "1:23.500"], [83_500, "1:23.500"], [3_723_456, "1:02:03.456"], [None, ""], [None, ""],
    ]  # fmt: skip
