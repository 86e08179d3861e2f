"""Prints one JSON object for each event, for programs that follow a run."""

from __future__ import annotations

import sys

from pipeline.base.display import json_text
from pipeline.base.events import Event, event_data


def emit_json(event: Event) -> None:
    """Print the event with its kind."""
    print(json_text(event_data(event), sys.stderr), file=sys.stderr, flush=True)
