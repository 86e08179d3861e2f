"""One JSON object an event, for programs that follow a run."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from pipeline.base.display import json_text
from pipeline.base.display_paths import as_text
from pipeline.base.events import Event


def emit_json(event: Event) -> None:
    """Print the event with its kind."""
    line = json_text({"event": type(event).__name__, **asdict(event)}, sys.stderr, default=_text)
    print(line, file=sys.stderr, flush=True)


def _text(value: object) -> str:
    return as_text(value) if isinstance(value, Path) else str(value)
