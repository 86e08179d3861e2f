"""Draws the picture of a run in the README from a real run of the sample, as the terminal shows it.

    scripts/docs --picture

The picture shows one moment of the run: the one at which the most steps are at work after a file is finished. It holds
no font and no address: a reader's own monospaced font is used.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console, RenderableType
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from pipeline.base import events
from pipeline.base.events import Event
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.cli.reporters.live_table import LiveTable
from pipeline.engine.batch import run_batch
from pipeline.engine.media_list import Request
from pipeline.engine.project import open_project

PICTURE = CODE_ROOT / "docs" / "images" / "run.svg"
COMMAND = "./reel run talks/ --to pt"
_SAMPLE = CODE_ROOT / "samples" / "demo.mp4"
_STARTS_S = (0, 8, 16)  # of the talks in the sample, so that their contents differ
_COLUMNS, _LINES = 104, 26
# rich's own frame, less the fonts that it would load from another host.
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img"
     aria-label="A run of reel on a terminal">
<style>
.{unique_id}-matrix {{
  font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
  <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class _Recorder:
    """Takes the events of a run, and keeps what a terminal shows at its busiest moment."""

    def __init__(self) -> None:
        self._screen = io.StringIO()
        console = Console(
            file=self._screen, width=_COLUMNS, height=_LINES, force_terminal=True, color_system="truecolor"
        )
        self._table = LiveTable(console)
        self._working: set[tuple[str, str]] = set()
        self._best = -1
        self.lines = ""
        self.table: RenderableType = ""

    def emit(self, event: Event) -> None:
        """Show an event, and keep the picture if more steps are at work than in the one that is kept."""
        self._table.emit(event)
        if isinstance(event, events.StepStarted):
            self._working.add((event.item, event.step))
        elif isinstance(event, events.StepDone):
            self._working.discard((event.item, event.step))
        has_finished = " done" in self._screen.getvalue() or "finished" in self._screen.getvalue()
        score = len(self._working) + 10 * has_finished
        if isinstance(event, events.WorkerMeasured) and score > self._best:
            self._best, self.lines, self.table = score, self._screen.getvalue(), self._table.drawn()


def _talks(folder: Path) -> Sequence[Path]:
    """Cut talks with different contents from the sample, and return their paths."""
    ffmpeg = shutil.which("ffmpeg") or next(
        str(path) for path in (CODE_ROOT / ".venvs" / "ffmpeg").rglob("binaries/ffmpeg-*")
    )
    talks = [folder / f"talk {number}.mp4" for number in range(1, len(_STARTS_S) + 1)]
    for start, talk in zip(_STARTS_S, talks, strict=True):
        cut = ["-loglevel", "error", "-ss", str(start), "-i", str(_SAMPLE), "-preset", "ultrafast", str(talk)]
        subprocess.run([ffmpeg, "-nostdin", *cut], check=True)
    return talks


def main() -> None:
    """Run the sample and write the picture."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)  # so that the picture shows paths as a user sees them
        flags: dict[str, JsonValue] = {
            "to": ["pt"],
            "results_dir": str(folder / "results"),
            "output_dir": str(folder / "out"),
        }
        settings, _ = load_settings(CONFIG / "defaults.toml", folder / "reel.toml", {}, flags)
        project = open_project(settings)
        recorder = _Recorder()
        run_batch([Request(talk) for talk in _talks(folder)], project, recorder.emit)
        os.chdir(before)
    shown = Console(record=True, file=io.StringIO(), width=_COLUMNS, force_terminal=True, color_system="truecolor")
    shown.print(Text.assemble(("$ ", "bold green"), COMMAND))
    shown.print(Text.from_ansi(recorder.lines.rstrip("\n")))
    shown.print(recorder.table)
    PICTURE.parent.mkdir(exist_ok=True)
    svg = shown.export_svg(title="reel", theme=DIMMED_MONOKAI, code_format=_FRAME, unique_id="run")
    PICTURE.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
