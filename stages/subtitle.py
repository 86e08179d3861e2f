"""Lay a transcript, or its translation, out as subtitles.

Each segment is cut into cues at the best places, by dynamic programming over the gaps between its words: at the end
of a sentence, at a comma, at a pause, where the speaker changes; a cue holds at most two lines. Lengths are counted
as a screen shows them: combining marks take no room, East Asian wide characters take two places (Unicode TR 11).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.cue import Cue, CueSheet
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage
from shared.transcript import Segment, Transcript
from shared.translation import Translation

_SENTENCE_ENDS = ".!?…。！？।॥؟۔"
_CLAUSE_ENDS = ",;:–—，、；：،؛"
_CLOSERS = "\"'”’»)]」』）"
# What a cue costs, and what ending one costs where. Only their order matters much: a sentence's end is free, so cues
# follow sentences; the price of a cue joins short sentences that fit together.
_CUE_COST = 4.0
_PAUSE_COST, _CLAUSE_COST, _BREAK_COST = 3.0, 4.0, 12.0
_PAUSE_MS = 400


class SubtitleInputs(Files):
    """`transcript` with word times; `translation` of it, to lay out instead of its own words."""

    transcript: Path
    translation: Path | None = None


class SubtitleParams(Params):
    """How a cue may look. The defaults follow common broadcasters' guides for adult programmes."""

    line_length: int = Field(42, ge=10, description="places in a line; a wide character takes two")
    lines: int = Field(2, ge=1, le=3, description="lines in a cue")
    min_duration_ms: int = Field(1000, ge=1, description="a cue stays at least so long, where the next one allows it")
    max_duration_ms: int = Field(7000, ge=1000, description="a cue stays at most so long")
    characters_per_second: float = Field(17.0, gt=0, description="a cue stays as long as reading takes, where it can")
    gap_ms: int = Field(84, ge=0, description="what lies between two cues at least; two frames at 24 a second")


class SubtitleOutputs(Files):
    """`cues`: `shared.cue.CueSheet`; `srt` and `vtt`: the same as SubRip and WebVTT, UTF-8."""

    cues: Path
    srt: Path
    vtt: Path


SubtitleJob = Job[SubtitleInputs, SubtitleParams]


class Engine(Protocol):
    """What a backend offers: the text of a subtitle file in a format, `srt` or `vtt`."""

    def render(self, sheet: CueSheet, kind: str) -> str: ...


@dataclass(frozen=True)
class Piece:
    """A word to lay out: unbreakable, with its times; `joined` when no space stands before it."""

    text: str
    start_ms: int
    end_ms: int
    joined: bool = False
    speaker: str | None = None


def run(engine: Engine, job: SubtitleJob) -> SubtitleOutputs:
    """Lay out and write."""
    sheet = _sheet(job)
    return _write(job, sheet, engine.render(sheet, "srt"), engine.render(sheet, "vtt"))


def stub(job: SubtitleJob) -> SubtitleOutputs:
    """The cues, and empty subtitle files: writing those is a library's work."""
    return _write(job, _sheet(job), "", "WEBVTT\n\n")


def lay_out(segments: Sequence[Sequence[Piece]], params: SubtitleParams, duration_ms: int) -> tuple[Cue, ...]:
    """Cues for segments of pieces, in order of time and without overlap; every character of every piece is in one."""
    cues: list[tuple[list[Piece], list[str]]] = []
    for pieces in segments:
        fitting = [part for piece in pieces for part in _cut_to_fit(piece, params.line_length)]
        cues += [(group, _wrap(group, params)) for group in _cut_into_cues(fitting, params)]
    return _time(cues, params, duration_ms)


def display_width(text: str) -> int:
    """How many places a text takes on a screen."""
    width = 0
    for character in text:
        if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
            continue
        width += 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
    return width


def pieces_of_segment(segment: Segment) -> list[Piece]:
    """A segment's words; its text spread over its time where it has none."""
    if not segment.words:
        return spread(segment.text, segment)
    return [Piece(w.text, w.start_ms, w.end_ms, w.joined, w.speaker or segment.speaker) for w in segment.words]


def spread(text: str, segment: Segment) -> list[Piece]:
    """A text without times of its own over the time of a segment, each word in proportion to its length."""
    tokens = list(_tokens(text))
    total = sum(max(display_width(token), 1) for token, _ in tokens)
    length_ms = segment.end_ms - segment.start_ms
    pieces, done = [], 0
    for token, joined in tokens:
        start = segment.start_ms + length_ms * done // total
        done += max(display_width(token), 1)
        end = segment.start_ms + length_ms * done // total
        pieces.append(Piece(token, start, max(end, start + 1), joined, segment.speaker))
    return pieces


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Words; in scripts without spaces, single characters with what belongs to them."""
    for word in text.split():
        start = 0
        joined = False
        for index in range(1, len(word)):
            apart = _breaks_anywhere(word[index - 1]) and _breaks_anywhere(word[index])
            if apart and not _belongs_to_last(word[index]):
                yield word[start:index], joined
                start, joined = index, True
        yield word[start:], joined


def _breaks_anywhere(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"} or "\u0e00" <= character <= "\u0eff"


def _belongs_to_last(character: str) -> bool:
    """Marks, and punctuation that may not begin a line."""
    return unicodedata.category(character)[0] in {"M", "P"} or unicodedata.category(character) == "Cf"


def _sheet(job: SubtitleJob) -> CueSheet:
    transcript = Transcript.read(job.inputs.transcript)
    if job.inputs.translation is None:
        language = transcript.language
        segments = [pieces_of_segment(segment) for segment in transcript.segments]
    else:
        translation = Translation.read(job.inputs.translation)
        language = translation.target
        texts = {segment.id: segment.text for segment in translation.segments}
        segments = [spread(texts[segment.id], segment) for segment in transcript.segments if texts[segment.id].strip()]
    return CueSheet(language=language, cues=lay_out(segments, job.params, transcript.duration_ms))


def _cut_to_fit(piece: Piece, limit: int) -> Iterator[Piece]:
    """A piece wider than a line as several, never between a character and its marks."""
    rest = piece
    while display_width(rest.text) > limit:
        cut = next(i for i in range(1, len(rest.text) + 1) if display_width(rest.text[:i]) >= limit - 1)
        while cut < len(rest.text) and (
            unicodedata.category(rest.text[cut]) in {"Mn", "Mc", "Me", "Cf"} or rest.text[cut - 1] == "\u200d"
        ):
            cut += 1
        if cut >= len(rest.text):
            break
        middle = rest.start_ms + (rest.end_ms - rest.start_ms) * cut // len(rest.text)
        yield replace(rest, text=rest.text[:cut], end_ms=middle)
        rest = replace(rest, text=rest.text[cut:], start_ms=middle, joined=True)
    yield rest


def _cut_into_cues(pieces: Sequence[Piece], params: SubtitleParams) -> list[list[Piece]]:
    """The cheapest way to cut the pieces into cues that fit; `best[i]` is the cost of all before piece `i`."""
    best = [0.0] + [float("inf")] * len(pieces)
    came_from = [0] * (len(pieces) + 1)
    widest = params.line_length * params.lines
    for end in range(1, len(pieces) + 1):
        for start in range(end - 1, -1, -1):
            group = pieces[start:end]
            alone = end - start == 1
            if not alone and (display_width(_text(group)) > widest or group[0].speaker != group[-1].speaker):
                break
            if not alone and not _fits(group, params):
                continue
            cost = best[start] + _CUE_COST + (_end_cost(pieces, end) if end < len(pieces) else 0.0)
            if cost < best[end]:
                best[end], came_from[end] = cost, start
    cuts, end = [], len(pieces)
    while end:
        cuts.append(list(pieces[came_from[end] : end]))
        end = came_from[end]
    return cuts[::-1]


def _fits(group: Sequence[Piece], params: SubtitleParams) -> bool:
    long = group[-1].end_ms - group[0].start_ms > params.max_duration_ms
    same = all(piece.speaker == group[0].speaker for piece in group)
    return same and not long and all(display_width(line) <= params.line_length for line in _wrap(group, params))


def _end_cost(pieces: Sequence[Piece], end: int) -> float:
    """What it costs to end a cue before piece `end`."""
    last, following = pieces[end - 1], pieces[end]
    mark = last.text.rstrip(_CLOSERS)[-1:]
    if last.speaker != following.speaker or (mark and mark in _SENTENCE_ENDS):
        return 0.0
    if following.start_ms - last.end_ms >= _PAUSE_MS:
        return _PAUSE_COST
    return _CLAUSE_COST if mark and mark in _CLAUSE_ENDS else _BREAK_COST


def _wrap(group: Sequence[Piece], params: SubtitleParams) -> list[str]:
    """One line where it fits, else two of about the same length, cut after a comma where one is near the middle."""
    whole = _text(group)
    if display_width(whole) <= params.line_length or len(group) == 1 or params.lines == 1:
        return [whole]

    def badness(cut: int) -> float:
        upper, lower = display_width(_text(group[:cut])), display_width(_text(group[cut:]))
        over = max(upper - params.line_length, 0) + max(lower - params.line_length * (params.lines - 1), 0)
        mark = group[cut - 1].text[-1:]
        return over * 100 + abs(upper - lower) + (0 if mark in _SENTENCE_ENDS + _CLAUSE_ENDS else 6)

    cut = min(range(1, len(group)), key=badness)
    one_line_less = params.model_copy(update={"lines": params.lines - 1})
    return [_text(group[:cut]), *_wrap(group[cut:], one_line_less)]


def _text(group: Sequence[Piece]) -> str:
    return group[0].text + "".join(piece.text if piece.joined else f" {piece.text}" for piece in group[1:])


def _time(cues: Sequence[tuple[list[Piece], list[str]]], params: SubtitleParams, duration_ms: int) -> tuple[Cue, ...]:
    """From the first word to the last, then longer where reading needs it and the next cue allows it."""
    timed = []
    for index, (group, lines) in enumerate(cues):
        start, spoken_end = group[0].start_ms, group[-1].end_ms
        reading_ms = round(sum(display_width(line) for line in lines) / params.characters_per_second * 1000)
        wanted = max(spoken_end, start + max(params.min_duration_ms, min(reading_ms, params.max_duration_ms)))
        latest = max(duration_ms, spoken_end)
        if index + 1 < len(cues):
            latest = cues[index + 1][0][0].start_ms - params.gap_ms
        end = max(min(wanted, latest), start + 1)
        timed.append(Cue(start_ms=start, end_ms=end, lines=tuple(lines), speaker=group[0].speaker))
    return tuple(timed)


def _write(job: SubtitleJob, sheet: CueSheet, srt: str, vtt: str) -> SubtitleOutputs:
    job.note("language", sheet.language)
    job.note("cues", len(sheet.cues))
    srt_path, vtt_path = job.out_dir / "subtitles.srt", job.out_dir / "subtitles.vtt"
    write_atomically(srt_path, srt.encode())
    write_atomically(vtt_path, vtt.encode())
    return SubtitleOutputs(cues=sheet.write(job.out_dir / "cues.json"), srt=srt_path, vtt=vtt_path)


STAGE = Stage(
    name="subtitle",
    version=1,
    summary="lay text out as subtitles and write the files",
    inputs=SubtitleInputs,
    params=SubtitleParams,
    outputs=SubtitleOutputs,
    backends={
        "pysubs2": Backend(
            module="stages.backends.pysubs2_writer",
            environment="lite",
            summary="SubRip and WebVTT by pysubs2",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
