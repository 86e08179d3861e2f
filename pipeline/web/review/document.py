"""Makes the document of a review: everything that its page shows, from the contents and the draft."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.publishing.doubts import Doubt, Subtitles, find_doubts
from pipeline.web.review.drafts import OpenDraft, labels_of, names_of
from pipeline.web.review.operations import DOUBT, Mark, cues_of, to_redo, to_undo
from pipeline.web.review.pictures import PROXY, STILL_MS, Picture
from shared.documents.base import Document
from shared.documents.cue import Cue, CueSheet
from shared.documents.diarization import Turn, from_rttm
from shared.documents.quality_report import UNSURE_TRANSLATION, QualityReport
from shared.documents.removals import Removals
from shared.documents.shots import Shots
from shared.documents.transcript import Segment, Transcript, Word
from shared.text.glossary import Glossary

_CHANGED_SOURCE = "source-changed"
_AROUND_MS = 1000  # is heard before and after a doubt
_ID_DIGITS = 12
_Data = dict[str, Any]
_Document = TypeVar("_Document", bound=Document)


@dataclass(frozen=True)
class Surroundings:
    """Facts beside the draft: the picture, whether there is a copy of it, the length of the sound's file (None: it is
    not there), the run's glossary by its name, and the state of the last attempt to apply. `newer`: the files were made
    again."""

    picture: Picture
    has_proxy: bool
    sound_bytes: int | None
    glossary: tuple[str, Glossary] | None
    apply: Mapping[str, object]
    newer: bool = False


@dataclass(frozen=True)
class _Contents:
    transcript: Transcript | None
    sheets: Mapping[str, CueSheet]
    reports: Mapping[str, QualityReport]
    turns: Sequence[Turn]
    removed: Removals | None
    shots: Shots | None

    @property
    def segments(self) -> Sequence[Segment]:
        return self.transcript.segments if self.transcript else ()

    @property
    def words(self) -> list[Word]:
        return [
            word if word.speaker else word.model_copy(update={"speaker": segment.speaker})
            for segment in self.segments for word in segment.words
        ]  # fmt: skip


def document(draft: OpenDraft, around: Surroundings) -> _Data:
    """Return the document as JSON. Reads the contents."""
    base, contents = draft.base, _read(draft)
    revisions = draft.journal.revisions
    undo, redo = to_undo(revisions), to_redo(revisions)
    words = contents.words
    duration_ms = contents.transcript.duration_ms if contents.transcript else 0
    return {
        "id": base.id, "name": Path(base.media).name, "media": base.media, "folder": base.folder,
        "recipe": base.recipe, "profile": base.profile, "base": base.digest, "rev": draft.revision,
        "etag": draft.etag, "undo": undo.number if undo else None, "redo": redo.number if redo else None,
        "open": draft.open_revisions, "saved_ms": draft.journal.saved_ms,
        "newer": around.newer, "duration_ms": duration_ms, "language": base.language,
        "tracks": [
            {"id": one.id, "language": one.language, "kind": one.kind, "spoken": one.spoken,
             "files": [Path(name).name for name in one.files], "limits": one.limits}
            for one in base.tracks
        ],
        **_cues(draft, contents, words),
        "words": [
            [one.text, one.start_ms, one.end_ms, round(one.probability, 3), one.joined, one.speaker] for one in words
        ],
        "segments": [[one.id, one.start_ms, one.end_ms, one.text, one.speaker] for one in contents.segments],
        "speakers": _speakers(draft, contents),
        "shots": list(contents.shots.changes_ms) if contents.shots else [],
        "removed": [one.model_dump(mode="json") for one in contents.removed.removals] if contents.removed else [],
        "doubts": _doubts(draft, contents, words, around.glossary[1] if around.glossary else None),
        "sound": _sound(base.speech, around.sound_bytes),
        "peaks": {"href": "peaks", "type": "application/octet-stream"} if around.sound_bytes is not None else None,
        "picture": _picture(around.picture, around.has_proxy),
        "glossary": _glossary(around.glossary),
        "apply": dict(around.apply),
    }  # fmt: skip


def _read(draft: OpenDraft) -> _Contents:
    base = draft.base

    rttm = draft.content(base.rttm).read_text(encoding="utf-8") if base.rttm else ""
    return _Contents(
        transcript=_one(Transcript, draft, base.transcript),
        sheets={track.id: track.read(draft.content(track.sheet)) for track in base.tracks},
        reports={track.id: report for track in base.tracks if (report := _one(QualityReport, draft, track.report))},
        turns=from_rttm(rttm), removed=_one(Removals, draft, base.removed), shots=_one(Shots, draft, base.shots),
    )  # fmt: skip


def _one(kind: type[_Document], draft: OpenDraft, digest: str | None) -> _Document | None:
    return kind.read(draft.content(digest)) if digest else None


def _cues(draft: OpenDraft, contents: _Contents, words: Sequence[Word]) -> _Data:
    """Return the cues of the draft, and those of the published sheets that it took away."""
    now, found, gone = draft.journal.draft, list[_Data](), list[_Data]()
    word_rows = _Rows([((one.start_ms + one.end_ms) // 2,) * 2 for one in words])  # a word belongs to one cue
    segment_rows = _Rows([(one.start_ms, one.end_ms) for one in contents.segments])
    for track in draft.base.tracks:
        was = {f"{track.id}/{number}": cue for number, cue in enumerate(contents.sheets[track.id].cues)}
        over, changed = _over(contents.reports.get(track.id), track.id)
        for name, cue in cues_of(now, track.id):
            times = cue.spoken or cue
            first, end = segment_rows.inside(cue.start_ms, cue.end_ms)
            is_same = was.get(name) == cue
            found.append({
                "id": name, "track": track.id, "cue": _data(cue),
                "words": word_rows.inside(times.start_ms, times.end_ms) if track.spoken else None,
                "segments": [segment.id for segment in contents.segments[first:end]],
                "over": over.get(name, []) if is_same else [],
                "was": None if is_same else _data(was[name]) if name in was else False,
                "source_changed": changed.get(name),
            })  # fmt: skip
        gone += [{"id": name, "track": track.id, "was": _data(cue)} for name, cue in was.items() if name not in now]
    return {"cues": found, "removed_cues": gone}


class _Rows:
    """Stretches in order of time, of which some are looked up."""

    def __init__(self, times: Sequence[tuple[int, int]]) -> None:
        self._starts = [start_ms for start_ms, _ in times]
        self._ends = [end_ms for _, end_ms in times]

    def inside(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """Return the rows that lie in a stretch of time in part: from the first to before the second number."""
        first = bisect_right(self._ends, start_ms)
        return first, max(bisect_left(self._starts, end_ms), first)


def _times(cue: Cue) -> tuple[int, int]:
    """Return when the words of a cue are said, as far as that is known."""
    times = cue.spoken or cue
    return times.start_ms, times.end_ms


def _data(cue: Cue) -> _Data:
    return cue.model_dump(mode="json")


def _over(report: QualityReport | None, track: str) -> tuple[dict[str, list[_Data]], dict[str, str]]:
    """Return the broken limits by cue, and why the source of a corrected translation is another one now."""
    over: dict[str, list[_Data]] = {}
    changed: dict[str, str] = {}
    for broken in report.broken if report else ():
        for one in broken.worst if broken.rule != UNSURE_TRANSLATION else ():  # which is a doubt
            name = f"{track}/{one.number - 1}"
            if broken.rule == _CHANGED_SOURCE:
                changed[name] = one.reason or broken.meaning
                continue
            over.setdefault(name, []).append({
                "rule": broken.rule, "severity": broken.severity, "found": one.found, "limit": broken.limit,
                "reason": one.reason,
            })  # fmt: skip
    return over, changed


def _speakers(draft: OpenDraft, contents: _Contents) -> list[_Data]:
    turns: dict[str, list[tuple[int, int]]] = {}
    for turn in contents.turns:
        turns.setdefault(turn.speaker, []).append((turn.start_ms, turn.end_ms))
    names = names_of(draft.journal.draft)
    labels = [*(labels_of(contents.transcript) if contents.transcript else ()), *names, *turns]
    return [
        {"id": label, "name": names.get(label, label), "turns": turns.get("_".join(label.split()), [])}
        for label in dict.fromkeys(labels)
        if label in names or label in turns
    ]


def _doubts(draft: OpenDraft, contents: _Contents, words: Sequence[Word], glossary: Glossary | None) -> list[_Data]:
    """Return the doubts about what was published, each with the cues and words that it is about."""
    subtitles = [Subtitles(sheet, contents.reports.get(name)) for name, sheet in contents.sheets.items()]
    removals = contents.removed.removals if contents.removed else ()
    spoken = [
        (f"{track.id}/{number}", cue)
        for track in draft.base.tracks if track.spoken
        for number, cue in enumerate(contents.sheets[track.id].cues)
    ]  # fmt: skip
    rows, cues = _Rows([(one.start_ms, one.end_ms) for one in words]), _Rows([_times(cue) for _, cue in spoken])
    tracks = {one.language: one.id for one in reversed(draft.base.tracks)}
    now, found = draft.journal.draft, list[_Data]()
    for one in find_doubts(contents.transcript, subtitles, removals, glossary):
        name = _doubt_id(one)
        of_cue = one.number is not None and one.language in tracks
        places = [f"{tracks[str(one.language)]}/{(one.number or 1) - 1}"] if of_cue else [
            spoken[row][0] for row in range(*cues.inside(one.start_ms, one.end_ms))
        ]  # fmt: skip
        found.append({
            "id": name, "kind": one.kind, "gain": one.gain, "cues": places, "start_ms": one.start_ms,
            "end_ms": one.end_ms, "hear": [max(one.start_ms - _AROUND_MS, 0), one.end_ms + _AROUND_MS],
            "text": one.text, "why": one.why, "times": list(one.times_ms),
            "words": None if of_cue else rows.inside(one.start_ms, one.end_ms),
            "right": isinstance(now.get(f"{DOUBT}/{name}"), Mark),
        })  # fmt: skip
    return found


def _doubt_id(doubt: Doubt) -> str:
    content = f"{doubt.kind}|{doubt.language}|{doubt.start_ms}|{doubt.text}|{doubt.why}"
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_DIGITS]


def _sound(digest: str | None, size: int | None) -> _Data | None:
    return {"href": "sound", "type": "audio/wav", "bytes": size, "etag": digest} if size is not None else None


def _picture(one: Picture, has_proxy: bool) -> _Data:
    proxy = {"href": PROXY, "type": "video/mp4"} if has_proxy else None
    stills = {"href": "stills/{n}", "count": one.stills, "every_ms": STILL_MS} if one.stills else None
    href = "picture" if one.tier == "original" else None
    return {**asdict(one), "href": href, "codecs": None, "stills": stills, "proxy": proxy}


def _glossary(named: tuple[str, Glossary] | None) -> _Data | None:
    return {"name": named[0], "terms": [term.source for term in named[1].terms]} if named else None
