"""Write milliseconds as people read them."""

from __future__ import annotations


def clock(milliseconds: int) -> str:
    """Return `75_250` as `1:15`, `3_675_000` as `1:01:15`: for messages, rounded down to the second."""
    minutes, seconds = divmod(max(milliseconds, 0) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def span(seconds: float) -> str:
    """Return how long something took: `0.4s`, `12s`, `3m05s`, `2h04m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def timecode(milliseconds: int) -> str:
    """Return `75_250` as `00:01:15,250`: a place in a subtitle file, as SubRip writes it."""
    seconds, rest = divmod(max(milliseconds, 0), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{rest:03d}"
