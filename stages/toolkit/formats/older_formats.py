"""Read the subtitle formats of old players with pysubs2: MicroDVD, MPL2, TMPlayer, SAMI, and YouTube's SBV.

MicroDVD counts frames. A file that does not state its frame rate in a first line `{1}{1}25` has the rate of its film,
which is 23.976 for most files that are still in use.
"""

from __future__ import annotations

import re

import pysubs2

from stages.toolkit.formats.parsing import parsing

KINDS = ("sub", "mpl", "tmp", "smi", "sbv")
_FORMATS = {"sub": "microdvd", "mpl": "mpl2", "tmp": "tmp", "smi": "sami", "sbv": "srt"}
_BEGINNINGS = (
    ("sub", re.compile(r"\{-?\d+\}\{-?\d*\}")),
    ("mpl", re.compile(r"\[-?\d+\]\[-?\d*\]")),
    ("smi", re.compile(r"<SAMI", re.IGNORECASE)),
    ("sbv", re.compile(r"\d+:\d\d:\d\d\.\d{1,3},\d+:\d\d:\d\d\.\d{1,3}\s*\n")),
    ("tmp", re.compile(r"\d+:\d\d:\d\d[:=]\D")),
)
_USUAL_RATE = 23.976
_SBV_TIMES = re.compile(r"^(\d+:\d\d:\d\d)\.(\d{1,3}),(\d+:\d\d:\d\d)\.(\d{1,3})\s*$", re.MULTILINE)


def kind_of(begin: str) -> str | None:
    """Return the format of a text with this beginning, as the suffix of a file; None for another format."""
    return next((kind for kind, pattern in _BEGINNINGS if pattern.match(begin)), None)


def read(text: str, kind: str, repairs: list[str]) -> pysubs2.SSAFile:
    """Return the file, and add an assumed frame rate to `repairs`. Raises `StageError` if it cannot be parsed."""
    if kind == "sbv":
        text = _SBV_TIMES.sub(r"\1,\2 --> \3,\4", text)
    with parsing("the subtitle file", "export it as SubRip"):
        try:
            return pysubs2.SSAFile.from_string(text, format_=_FORMATS[kind])
        except pysubs2.UnknownFPSError:
            repairs.append(f"the file counts frames and does not say how many a second has; {_USUAL_RATE} is assumed")
            return pysubs2.SSAFile.from_string(text, format_=_FORMATS[kind], fps=_USUAL_RATE)
