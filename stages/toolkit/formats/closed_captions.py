"""Read and write SCC, the format of American closed captions (CEA-608), with ttconv: pop-on captions in 29.97
drop-frame time.

Line 21 of the picture carries two bytes a frame, 32 letters a row, and the letters of English and a few other
languages. ttconv silently drops captions that it cannot send in time, and writes a blank for a missing letter. This
module prevents both, and reads the result again to check it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ttconv.scc import reader, writer
from ttconv.scc.codes.special_characters import SccSpecialCharacter
from ttconv.scc.codes.standard_characters import TO_SCC_BYTES
from ttconv.scc.config import SccWriterConfiguration

from shared.documents.cue import Cue, CueSheet
from shared.stage import StageError
from stages.toolkit.formats import timed_text
from stages.toolkit.formats.parsing import parsing

_HEAD = "Scenarist_SCC V1.0"
_FRAME_MS = 1001 / 30
_ROW, _ROWS = 32, 4  # letters of a row, and rows of a caption
# Codes are sent twice: load and clear, the address of each row (and one for its indent), and the change of pages.
_FRAMES_A_CAPTION, _FRAMES_A_ROW = 6, 4
_ERASE = 4  # frames
_MOST_LATE_MS = 1000
_GROUP = 100  # ttconv's cost grows with the square of the number of cues, so cues are written in groups
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " "})
_LETTERS = frozenset(TO_SCC_BYTES) | {one.get_unicode_value() for one in SccSpecialCharacter}


def write(sheet: CueSheet) -> str:
    """Return the sheet as SCC. Raises `StageError` with the reason if closed captions cannot show it."""
    captions = _in_time(tuple(_caption(cue) for cue in sheet.cues))
    logging.getLogger("ttconv").setLevel(logging.ERROR)  # it warns of each row; losses are found below
    config = SccWriterConfiguration(force_popon=True, allow_reflow=False)
    parts = []
    for group in _groups(captions):
        text = writer.from_model(timed_text.to_model(CueSheet(language=sheet.language, cues=tuple(group))), config)
        parts.append(text.removeprefix(_HEAD).strip())
    whole = "\n\n".join([_HEAD, *(part for part in parts if part)]) + "\n"
    if _words(read(whole)) != _words(captions):
        raise _refused("a caption came out different when it was read again")
    return whole


def read(text: str) -> tuple[Cue, ...]:
    """Return the cues of an SCC file. Raises `StageError` if a line cannot be parsed."""
    with parsing("the SCC file", "export it again"):
        return tuple(timed_text.cues_of(reader.to_model(text), plain=True))


def _caption(cue: Cue) -> Cue:
    lines = [line.translate(_SAME) for line in cue.lines]
    if missing := next((letter for line in lines for letter in line if letter not in _LETTERS), None):
        raise _refused(f"they lack the character {missing!r}")
    rows = lines if all(len(line) <= _ROW for line in lines) else _rows(" ".join(lines).split())
    if len(rows) > _ROWS or any(len(row) > _ROW for row in rows):
        raise _refused(f"they hold {_ROWS} rows of {_ROW} letters, and {' '.join(rows)!r} is longer")
    return cue.model_copy(update={"lines": tuple(rows), "italic": False, "spans": (), "place": None})


def _rows(words: Sequence[str]) -> list[str]:
    """Return words in as few rows as possible, with rows as even as possible."""
    fewest = len(_filled(words, _ROW))
    return next(rows for room in range(1, _ROW + 1) if len(rows := _filled(words, room)) == fewest)


def _filled(words: Sequence[str], room: int) -> list[str]:
    rows = [""]
    for word in words:
        longer = f"{rows[-1]} {word}".strip()
        if len(longer) <= room or not rows[-1]:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def _in_time(captions: Sequence[Cue]) -> tuple[Cue, ...]:
    """Return the captions with starts at which they can have been sent: a caption is sent while the one before it is
    shown. Raises `StageError` if a caption would be too late."""
    placed: list[Cue] = []
    free_ms = 0.0
    for caption in captions:
        start_ms = max(caption.start_ms, round(free_ms + _sending_ms(caption)))
        if start_ms - caption.start_ms > min(_MOST_LATE_MS, (caption.end_ms - caption.start_ms) // 2):
            raise _refused(f"they cannot be sent as fast as the speech here: {' '.join(caption.lines)!r}")
        placed.append(caption.model_copy(update={"start_ms": start_ms}))
        free_ms = start_ms + _ERASE * _FRAME_MS
    return tuple(
        cue.model_copy(update={"end_ms": min(cue.end_ms, following.start_ms)}) for cue, following in pairwise(placed)
    ) + tuple(placed[-1:])


def _sending_ms(caption: Cue) -> float:
    codes = _FRAMES_A_CAPTION + _FRAMES_A_ROW * len(caption.lines)
    letters = sum(1 if letter in TO_SCC_BYTES else 3 for row in caption.lines for letter in row)
    return (codes + letters / 2 + _ERASE) * _FRAME_MS


def _groups(captions: Sequence[Cue]) -> Iterator[list[Cue]]:
    """Yield the captions in groups. Between two groups, there is time to send the first caption of the second."""
    group: list[Cue] = []
    for caption in captions:
        if len(group) >= _GROUP and caption.start_ms - group[-1].end_ms > _sending_ms(caption) + _ERASE * _FRAME_MS:
            yield group
            group = []
        group.append(caption)
    if group:
        yield group


def _words(captions: Sequence[Cue]) -> list[list[str]]:
    return [" ".join(caption.lines).split() for caption in captions]


def _refused(why: str) -> StageError:
    return StageError(
        "subtitle.scc",
        f"closed captions cannot show these subtitles: {why}",
        "leave `scc` out of the formats, or shorten the text",
    )
