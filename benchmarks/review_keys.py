"""Counts what 40 corrections of ten minutes of talk cost on the review page, and in a text editor with a player.

    .venvs/test/bin/python benchmarks/review_keys.py

A scripted reviewer knows the right text and works by keys alone. On the page it is real: Chromium, a server, a film
with planted mistakes, and at the end the server's draft must be the right text. In the editor it is a model with the
shortest way that the script can find: a search by the fewest letters that lead to the place, a selection by words, and
`Replace all` for a name. Every key counts 1, a letter among them. So does a jump of the player, which on the page is
each doubt that plays by itself. Listening on counts in neither.

The mistakes: 22 wrong words that the recogniser doubted, a name that is wrong in 8 places, and what only listening
finds: 6 words that it was sure of, and 4 cues in which a second person speaks. The page also shows 6 doubts that are
none, which cost it a key and a jump each.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.made_up_film import Line, make_film, publish, runner, served, transcript_of

FLAGS = ("--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage")
PART = 3  # the page may take a third
_FIRST, _SECOND = "SPEAKER_00", "SPEAKER_01"
_TALK = (
    "quiet", "harbour", "morning", "sailor", "remember", "window", "letter", "carry", "mountain", "bridge",
    "garden", "yellow", "summer", "winter", "kitchen", "children", "market", "station", "evening", "forest",
    "river", "village", "doctor", "teacher", "minute", "answer", "question", "music", "dancer", "paper",
)  # fmt: skip
_WRONG = (
    "lantern", "ribbon", "candle", "pillow", "saddle", "barrel", "copper", "velvet", "marble", "thunder", "basket",
    "feather", "hammer", "ladder", "mirror", "needle", "orchard", "pepper", "quarry", "rocket", "shadow", "timber",
    "umbrella", "vessel", "walnut", "anchor", "blanket", "cradle",
)  # fmt: skip
_RIGHT = (
    "lanterns", "ribbons", "candles", "pillows", "saddles", "barrels", "coppers", "velvets", "marbles", "thunders",
    "baskets", "feathers", "hammers", "ladders", "mirrors", "needles", "orchards", "peppers", "quarries", "rockets",
    "shadows", "timbers", "umbrellas", "vessels", "walnuts", "anchors", "blankets", "cradles",
)  # fmt: skip
_LINES, _WORD_MS = 135, 420  # ten minutes
_NAME, _RIGHT_NAME = "Marta", "Martha"


@dataclass(frozen=True)
class Mistake:
    """A mistake in a line: a word, or a second speaker from the word at `wrong` on."""

    line: int
    kind: str  # doubted, sure, name, speakers
    wrong: str
    right: str


@dataclass(frozen=True)
class Case:
    """The lines as they were heard, their mistakes, and how many doubts among them are none."""

    lines: Sequence[Line]
    mistakes: Sequence[Mistake]


def make_case() -> Case:
    """Return ten minutes of talk with 40 mistakes."""
    dice = random.Random(3)
    lines = [Line(f"{' '.join(dice.sample(_TALK, 9)).capitalize()}.", _FIRST, word_ms=_WORD_MS) for _ in range(_LINES)]
    places = sorted(dice.sample(range(4, _LINES - 4), 46))
    kinds = ["doubted"] * 22 + ["sure"] * 6 + ["name"] * 8 + ["speakers"] * 4 + ["none"] * 6
    dice.shuffle(kinds)
    words = zip(_WRONG, _RIGHT, strict=True)
    mistakes = []
    for place, kind in zip(places, kinds, strict=True):
        parts = lines[place].text.split()
        if kind == "speakers":
            wrong, right = parts[5], ""
            others = dict.fromkeys((part.strip(".") for part in parts[5:]), _SECOND)
            lines[place] = replace(lines[place], others=others)
        elif kind == "none":
            lines[place] = replace(lines[place], doubts={parts[4]: 0.1})
            continue
        else:
            wrong, right = (_NAME, _RIGHT_NAME) if kind == "name" else next(words)
            parts[4] = wrong
            doubts = {wrong: 0.1} if kind in {"doubted", "name"} else {}
            lines[place] = replace(lines[place], text=" ".join(parts), doubts=doubts)
        mistakes.append(Mistake(place, kind, wrong, right))
    return Case(lines, mistakes)


def right_texts(case: Case) -> list[str]:
    """Return the texts of the cues when all is corrected."""
    found = []
    speakers = {mistake.line: mistake.wrong for mistake in case.mistakes if mistake.kind == "speakers"}
    changes = {mistake.line: mistake for mistake in case.mistakes if mistake.kind != "speakers"}
    for number, line in enumerate(case.lines):
        text = line.text
        if number in changes:
            text = text.replace(changes[number].wrong, changes[number].right)
        head, cut, tail = text.partition(f" {speakers[number]}") if number in speakers else (text, "", "")
        found += [head, f"{cut}{tail}".strip()] if cut else [head]
    return found


class Counted:
    """Keyboard of the page that counts. `jumps` are the player's."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.keys = self.jumps = 0

    def press(self, *keys: str) -> None:
        """Press keys, each of which counts 1."""
        for key in keys:
            self._page.keyboard.press(key)
        self.keys += len(keys)

    def type(self, text: str) -> None:
        """Type letters, each of which counts 1."""
        self._page.keyboard.type(text)
        self.keys += len(text)


def on_the_page(page: Page, case: Case) -> Counted:
    """Correct everything on the page. Returns what it cost."""
    keys = Counted(page)
    left = {one.line: one for one in case.mistakes}
    starts = [segment.start_ms for segment in transcript_of(case.lines).segments]
    keys.press("Alt+n")
    keys.jumps += 1
    while page.locator("#walk").is_visible():
        number = starts.index(max(start for start in starts if start <= _chosen_start(page)))
        mistake = left.pop(number, None)
        _answer(keys, mistake)
        if mistake and mistake.kind == "name":
            for other in [one for one in left.values() if one.kind == "name"]:
                del left[other.line]
        keys.jumps += 1
    keys.jumps -= 1  # after the last there was none to play
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # the last doubt was heard
    keys.press("Escape", "Space")  # and listen to all of it
    for mistake in sorted(left.values(), key=lambda one: one.line):
        _listen_to(page, starts[mistake.line], case.lines[mistake.line], mistake.wrong)
        keys.press("Enter")  # stops, and chooses the word that was heard
        if mistake.kind == "speakers":
            keys.press("Alt+s", "Alt+2", "Escape", "Space")
        else:
            keys.type(mistake.right)
            keys.press("Enter")
    return keys


def _answer(keys: Counted, mistake: Mistake | None) -> None:
    """Answer the doubt that is shown, and go to the next."""
    if mistake is None:
        keys.press("Alt+k")
    else:
        keys.type(mistake.right)
        keys.press(*(["Alt+g", "Enter", "Alt+n"] if mistake.kind == "name" else ["Enter"]))


def _chosen_start(page: Page) -> int:
    minutes, _, seconds = page.get_by_label("Begins").input_value().rpartition(":")
    return round((int(minutes or 0) * 60 + float(seconds)) * 1000)


def _listen_to(page: Page, start_ms: int, line: Line, word: str) -> None:
    """Let the sound be at a word, as it is when a person has listened so far and has heard it."""
    at_ms = start_ms + line.text.split().index(word) * _WORD_MS + 450
    script = """async (seconds) => {
      const sound = document.getElementById("sound");
      sound.currentTime = seconds;
      while (sound.paused || sound.seeking || sound.currentTime < seconds) await new Promise(requestAnimationFrame);
    }"""
    page.evaluate(script, at_ms / 1000)


def in_an_editor(case: Case) -> tuple[int, int]:
    """Return the keys and the jumps that the same corrections take in an editor beside a player."""
    subtitles = "\n".join(line.text for line in case.lines)
    keys = jumps = place = 0
    has_name = False
    for mistake in sorted(case.mistakes, key=lambda one: one.line):
        if mistake.kind == "name" and has_name:
            continue
        is_playing = mistake.kind in {"sure", "speakers"}  # while it plays, so that no jump is needed
        at = subtitles.index(mistake.wrong, subtitles.index(case.lines[mistake.line].text))
        if is_playing:
            keys += 1  # stop the player
        else:
            keys += 1 + len("mm:ss") + 1 + 2  # go to, the time, Enter; play and stop
            jumps += 1
        keys += 1  # to the editor
        keys += 1 + _search_keys(subtitles, place, at) + 2  # search, the text, Enter and Escape
        place = at
        if mistake.kind == "speakers":
            keys += _split_keys()
        elif mistake.kind == "name":
            has_name = True
            keys += 1 + len(mistake.wrong) + 1 + len(mistake.right) + 1 + 1  # replace all
        else:
            keys += 1 + len(mistake.right)  # the word is chosen, and typed over
        keys += 1 + (1 if is_playing else 0)  # back to the player, which plays on
    return keys + 1, jumps  # and the file is saved


def _search_keys(text: str, place: int, at: int) -> int:
    """Return how many letters lead from one place to the other with the first hit."""
    return next(length for length in range(1, 40) if text.find(text[at : at + length], place + 1) in {at, -1})


def _split_keys() -> int:
    """Return what it takes to make two cues of one: the old end, a number, and a line of two times."""
    end, times = len("00:00:00,000"), len("00:00:00,000 --> 00:00:00,000")
    return 2 + 3 + 1 + times + 1 + 2 + 1 + end  # new lines, number, times; up to the old end, choose it, the new end


def main() -> int:
    """Count both, print a table, and exit with 1 if the page takes more than its part or misses a mistake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    case = make_case()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish(runner(folder), folder / "results", make_film(folder), transcript_of(case.lines))
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS])
            counted, texts = _reviewed(browser.new_page(viewport={"width": 1400, "height": 900}), address, case)
            browser.close()
    keys, jumps = in_an_editor(case)
    part = (counted.keys + counted.jumps) / (keys + jumps)
    wrong = [pair for pair in zip(texts, right_texts(case), strict=False) if pair[0] != pair[1]]
    print(f"{'':24}{'keys':>8}{'jumps':>8}{'all':>8}")
    print(f"{'editor and player':24}{keys:8}{jumps:8}{keys + jumps:8}")
    print(f"{'review page':24}{counted.keys:8}{counted.jumps:8}{counted.keys + counted.jumps:8}")
    print(f"the page takes {part:.2f} of the editor; {len(case.mistakes)} mistakes, {len(wrong)} texts still wrong")
    for pair in wrong[:5]:
        print(*pair, sep="\n  ")
    return int(part > 1 / PART or bool(wrong) or len(texts) != len(right_texts(case)))


def _reviewed(page: Page, address: str, case: Case) -> tuple[Counted, list[str]]:
    """Return what the review took, and the texts that the server has then."""
    found: Any = page.request.get(f"{address}/api/1/media").json()
    name = found["media"][0]["id"]
    page.goto(f"{address}/review/{name}")
    expect(page.locator("#panes")).not_to_have_attribute("aria-busy", "true", timeout=60_000)
    counted = on_the_page(page, case)
    expect(page.locator("#saved")).to_contain_text("saved ", timeout=60_000)
    document: Any = page.request.get(f"{address}/api/1/media/{name}").json()
    return counted, [" ".join(cue["cue"]["lines"]) for cue in document["cues"]]


if __name__ == "__main__":
    sys.exit(main())
