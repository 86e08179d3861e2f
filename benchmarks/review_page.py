"""Measures the review page on a film with 3,000 cues: how long it takes to open, to jump, to type and to keep a cue.

    .venvs/test/bin/python benchmarks/review_page.py [--cues 3000]

A jump and a typed letter are measured in the page, from the key to the frame after the next.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.made_up_film import make_film, publish, runner, served, some_lines, transcript_of
from benchmarks.review_keys import FLAGS

OPEN_S, JUMP_MS, TYPE_MS = 3.0, 150, 50
_PRESSED = """async (code) => {
  const begun = performance.now();
  const typed = code === "letter";
  const target = document.getElementById(typed ? "edit-text" : "list");
  if (typed) target.setRangeText("x", 0, 0, "end");
  const bubbles = true;
  target.dispatchEvent(typed ? new Event("input", { bubbles }) : new KeyboardEvent("keydown", { code, bubbles }));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - begun;
}"""


def measure(page: Page, address: str) -> tuple[float, float, float]:
    """Return the seconds to open, and the longest jump and the median letter in milliseconds."""
    found: Any = page.request.get(f"{address}/api/1/media").json()
    begun = time.perf_counter()
    page.goto(f"{address}/review/{found['media'][0]['id']}")
    expect(page.locator("#panes")).not_to_have_attribute("aria-busy", "true", timeout=60_000)
    opened = time.perf_counter() - begun
    jumps = [page.evaluate(_PRESSED, code) for code in ("End", "Home", "End", "PageUp", "Home")]
    letters = sorted(page.evaluate(_PRESSED, "letter") for _ in range(21))
    return opened, max(jumps), letters[10]


def main() -> int:
    """Measure, print, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cues", type=int, default=3000)
    cues = parser.parse_args().cues
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = transcript_of(some_lines(cues))
        publish(runner(folder), folder / "results", make_film(folder), lines, with_sound=False)
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS])
            opened, jump, letter = measure(browser.new_page(viewport={"width": 1400, "height": 900}), address)
            browser.close()
    print(f"{cues} cues: open {opened:.1f} s, longest jump {jump:.0f} ms, a letter {letter:.0f} ms")
    return int(opened > OPEN_S or jump > JUMP_MS or letter > TYPE_MS)


if __name__ == "__main__":
    sys.exit(main())
