"""One JSON object an event, for programs that follow a run."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pipeline.events import Event


def emit_json(event: Event) -> None:
    """Print the event with its kind."""
    line = json.dumps({"event": type(event).__name__, **asdict(event)}, ensure_ascii=False, default=str)
    print(line, file=sys.stderr, flush=True)
