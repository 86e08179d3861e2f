"""Events as a person or a program reads them, always on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from pipeline.base.events import Emit


@contextlib.contextmanager
def open_reporter(kind: str) -> Iterator[Emit]:
    """Open the reporter of a kind: `auto` is bars and a live table on a terminal, and lines elsewhere."""
    if kind == "auto":
        kind = "bars" if sys.stderr.isatty() else "plain"
    if kind == "bars":
        from pipeline.cli.reporters.live_table import LiveTable  # rich takes a tenth of a second to import

        with LiveTable() as table:
            yield table.emit
    elif kind == "json":
        from pipeline.cli.reporters.json_lines import emit_json

        yield emit_json
    elif kind == "plain":
        from pipeline.cli.reporters.plain_lines import Lines

        yield Lines().emit
    else:
        yield lambda event: None
