"""Makes from a draft the files that the store of corrections takes: a sheet for each corrected track, and a transcript
with the speakers' names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

from pipeline.publishing.edit_order import OrderedEdit
from pipeline.web.review.drafts import Applying, OpenDraft, names_of
from pipeline.web.review.operations import Draft, cues_of
from pipeline.web.review.review_base import TRANSCRIPT, ReviewTrack, cue_of
from shared.documents.cue import Cue, CueSheet
from shared.documents.transcript import Segment, Transcript, Word
from shared.files import write_atomically


def corrected_files(draft: OpenDraft, job: str) -> tuple[Applying, tuple[OrderedEdit, ...]]:
    """Write the corrected files of a draft into its folder. Return what is applied, and what is to be taken in: none if
    nothing differs from what was applied before. `job` is still to be named.

    A speaker is renamed in the cues: each keeps its lines and times then. Only those who speak in no cue of their own
    are renamed in the transcript.
    """
    now, before = draft.journal.draft, draft.note.applied
    names = {label: name for label, name in names_of(now).items() if label != name}
    in_cues = {cue.speaker for track in draft.base.tracks if track.spoken for _, cue in cues_of(now, track.id)}
    made: list[OrderedEdit] = []
    transcript = None
    left = {label: names[label] for label in names if label not in in_cues}
    if draft.base.transcript and left and not any(track.kind == TRANSCRIPT for track in draft.base.tracks):
        transcript = _kept(draft, _with_names(draft, left))
        known = (before and before.transcript) or draft.base.transcript
        if transcript != known:
            made.append(OrderedEdit(
                name=draft.base.transcript_name, origin=draft.base.transcript_origin, path=_path(draft, transcript),
                before=_path(draft, known), language=draft.base.language,
            ))  # fmt: skip
    sheets: dict[str, str] = {}
    for track in draft.base.tracks:
        is_text = track.kind == TRANSCRIPT
        sheets[track.id] = _kept(draft, (_segments if is_text else _sheet)(draft, track, now, names))
        known = before.sheets.get(track.id, track.sheet) if before else track.sheet
        if not _is_same(draft, track, sheets[track.id], known):
            translated = None if track.spoken else _source(draft, now)
            made.append(OrderedEdit(
                name=draft.base.transcript_name if is_text else track.edit_name, origin=track.origin,
                path=_path(draft, sheets[track.id]), before=_path(draft, known), language=track.language,
                source=_path(draft, translated) if translated else None,
            ))  # fmt: skip
    return Applying(job=job, revision=draft.revision, sheets=sheets, transcript=transcript), tuple(made)


def _is_same(draft: OpenDraft, track: ReviewTrack, sheet: str, known: str) -> bool:
    """Tell whether two contents have the same cues: an order of equal times changes the bytes alone."""
    if sheet == known:
        return True
    one, other = (track.read(draft.content(digest)).cues for digest in (sheet, known))
    return sorted(map(repr, one)) == sorted(map(repr, other))


def changed_items(start: Draft, now: Draft) -> list[str]:
    """Return the ids of the items that differ between two states of a draft."""
    return sorted(name for name in {*start, *now} if start.get(name) != now.get(name))


def _source(draft: OpenDraft, now: Draft) -> str | None:
    """Return the transcript that the person saw while correcting a translation: with the corrected cues in the places
    where they changed the original as well."""
    if draft.base.transcript is None:
        return None
    changed: list[Cue] = []
    for track in draft.base.tracks:
        if track.spoken:
            was = {
                f"{track.id}/{number}": cue for number, cue in enumerate(track.read(draft.content(track.sheet)).cues)
            }
            cues = dict(cues_of(now, track.id))
            differ = [name for name in {*was, *cues} if _lines(was.get(name)) != _lines(cues.get(name))]
            changed += [cue for name in differ for cue in (was.get(name), cues.get(name)) if cue]
    if not changed:
        return draft.base.transcript
    transcript = Transcript.read(draft.content(draft.base.transcript))
    there = [segment for segment in transcript.segments if not any(_meet(segment, cue) for cue in changed)]
    lost = [segment for segment in transcript.segments if any(_meet(segment, cue) for cue in changed)]
    shown = [cue for track in draft.base.tracks if track.spoken for _, cue in cues_of(now, track.id)]
    shown = [cue for cue in shown if any(_meet(segment, cue) for segment in lost)]
    made = [Segment(id=0, text=" ".join(cue.lines), start_ms=cue.start_ms, end_ms=cue.end_ms) for cue in shown]
    ordered = sorted([*there, *made], key=lambda one: (one.start_ms, one.end_ms))
    numbered = tuple(one.model_copy(update={"id": number}) for number, one in enumerate(ordered))
    return _kept(draft, transcript.model_copy(update={"segments": numbered}))


def _lines(cue: Cue | None) -> tuple[str, ...]:
    return cue.lines if cue else ()


def _meet(segment: Segment, cue: Cue) -> bool:
    return segment.start_ms < cue.end_ms and cue.start_ms < segment.end_ms


def _sheet(draft: OpenDraft, track: ReviewTrack, now: Draft, names: Mapping[str, str]) -> CueSheet:
    """Return the corrected sheet of a track. A translation takes the speakers' names from the transcript; only a cue
    that was given to another speaker has the name itself."""
    was = track.read(draft.content(track.sheet))
    by_id = {f"{track.id}/{number}": cue for number, cue in enumerate(was.cues)}
    cues = [
        cue if not track.spoken and cue.speaker == (by_id[name].speaker if name in by_id else None)
        else cue.model_copy(update={"speaker": _name(cue.speaker, names)})
        for name, cue in cues_of(now, track.id)
    ]  # fmt: skip
    return was.model_copy(update={"cues": tuple(cues)})


def _segments(draft: OpenDraft, track: ReviewTrack, now: Draft, names: Mapping[str, str]) -> Transcript:
    """Return the corrected transcript."""
    transcript, named = Transcript.read(draft.content(track.sheet)), _with_names(draft, names)
    segments: list[Segment] = []
    for place, (name, cue) in enumerate(cues_of(now, track.id)):
        number = name.partition("/")[2]
        old = int(number) if number.isdecimal() and int(number) < len(transcript.segments) else None
        if old is None:
            new = Segment(id=len(transcript.segments) + place, text="", start_ms=cue.start_ms, end_ms=cue.end_ms)
            segments.append(_corrected(new, new, cue, names))
        elif cue == cue_of(transcript.segments[old]):
            segments.append(named.segments[old])
        else:
            segments.append(_corrected(transcript.segments[old], named.segments[old], cue, names))
    return named.model_copy(update={"segments": tuple(segments)})


def _corrected(old: Segment, named: Segment, cue: Cue, names: Mapping[str, str]) -> Segment:
    """Return a segment as a person left it. Where the text alone changed, its words stay: `correct` has them follow it.
    Otherwise those stay that are still there; without any, the text is shared out over the time."""
    text, speaker = " ".join(cue.lines), _name(cue.speaker, names)
    words = named.words
    if (cue.start_ms, cue.end_ms, cue.speaker) != (old.start_ms, old.end_ms, old.speaker):
        inside = [word for word in words if cue.start_ms <= (word.start_ms + word.end_ms) // 2 < cue.end_ms]
        heard = "".join(word.text if word.joined else f" {word.text}" for word in inside).strip()
        kept = inside if heard == text else _spread(text, cue.start_ms, cue.end_ms)
        words = tuple(word.model_copy(update={"speaker": speaker}) for word in kept)
    fields = {"text": text, "start_ms": cue.start_ms, "end_ms": cue.end_ms, "speaker": speaker, "words": words}
    return named.model_copy(update=fields)


def _spread(text: str, start_ms: int, end_ms: int) -> list[Word]:
    """Return the words of a text over a stretch of time by their length, as sure as a person is."""
    parts = text.split()
    ends = list(accumulate(len(part) for part in parts))
    edges = [start_ms, *(start_ms + (end_ms - start_ms) * end // ends[-1] for end in ends)]
    return [
        Word(text=part, start_ms=begin, end_ms=end, probability=1.0, interpolated=True)
        for part, begin, end in zip(parts, edges, edges[1:], strict=False)
    ]


def _with_names(draft: OpenDraft, names: Mapping[str, str]) -> Transcript:
    """Return the transcript with other names of speakers."""
    assert draft.base.transcript
    transcript = Transcript.read(draft.content(draft.base.transcript))
    segments = [
        segment.model_copy(update={
            "speaker": _name(segment.speaker, names),
            "words": tuple(word.model_copy(update={"speaker": _name(word.speaker, names)}) for word in segment.words),
        })
        for segment in transcript.segments
    ]  # fmt: skip
    return transcript.model_copy(update={"segments": tuple(segments)})


def _name(label: str | None, names: Mapping[str, str]) -> str | None:
    return names.get(label, label) if label else None


def _kept(draft: OpenDraft, document: CueSheet | Transcript) -> str:
    """Write a document into the draft's folder, and return its digest."""
    content = document.as_text().encode()
    digest = hashlib.sha256(content).hexdigest()
    path = draft.folder / digest
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return digest


def _path(draft: OpenDraft, digest: str) -> str:
    return str(draft.content(digest).absolute())


def order_path(draft: OpenDraft) -> Path:
    """Return the place of the order that a draft is applied by."""
    return (draft.folder / f"order-{draft.revision}.json").absolute()
