"""Writes subtitle files of stubs: their text is readable and marked, and needs no library."""

from __future__ import annotations

from shared.documents.cue import CueSheet
from shared.text.timecode import timecode

_MARK = "[stub]"
_NUMBERED = {"srt": "", "vtt": "WEBVTT\n\n"}


def stub_file(sheet: CueSheet, kind: str) -> str:
    """Return the content of a file of a kind: valid SubRip, WebVTT and JSON, and plain lines of text for any other."""
    if kind == "json":
        return sheet.as_text()
    texts = [f"{_MARK} {' '.join(cue.lines)}" for cue in sheet.cues]
    if kind not in _NUMBERED:
        return "".join(f"{text}\n" for text in texts)
    parts = [_NUMBERED[kind]]
    for number, (cue, text) in enumerate(zip(sheet.cues, texts, strict=True), 1):
        times = f"{timecode(cue.start_ms)} --> {timecode(cue.end_ms)}"
        parts.append(f"{number}\n{times.replace(',', '.') if kind == 'vtt' else times}\n{text}\n\n")
    return "".join(parts)
