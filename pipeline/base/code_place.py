"""Find the place in our code in which a stage has failed, from its traceback."""

from __future__ import annotations

import re
from pathlib import Path

_FRAME = re.compile(r'^ +File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)


def place_in_code(traceback: str, root: Path) -> str | None:
    """Return the innermost frame below `root` as `stages/vad/silero.py:42`; None if no frame is there.

    The worker's own module counts only if no other does: it calls every stage. Frames in an environment below `root`
    are those of libraries.
    """
    places = []
    for frame in _FRAME.finditer(traceback):
        path = Path(frame["file"])
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            places.append(f"{path.relative_to(root).as_posix()}:{frame['line']}")
    stage = [place for place in places if not place.startswith("shared/worker_main.py:")]
    return next(reversed(stage or places), None)
